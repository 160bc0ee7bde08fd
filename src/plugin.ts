/**
 * The plugin after privileges were dropped: reads the policy files, wires client, jobs and launcher session together, and
 * runs until the launcher closes the connection or a signal arrives.
 */
import { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Writable } from 'node:stream';
import { clusterFileWarnings, readTokenFile } from './config/options/cluster.ts';
import type { Options } from './config/options/options.ts';
import {
  createReloadable,
  type PushedSettings,
  type Reloadable,
  type RunningSettings,
} from './config/options/reload.ts';
import { readPolicyFiles } from './config/profiles/policy-files.ts';
import { missingGroups } from './config/profiles/user-profile.ts';
import { advise, ConfigError } from './config/text/problem.ts';
import { auditedJobs } from './jobs/audit.ts';
import { connect, locatingLog } from './jobs/connect.ts';
import type { Jobs } from './jobs/contract.ts';
import { createJobs, type RunningJobs } from './jobs/jobs.ts';
import { serviceAccountNames } from './jobs/policy/cluster-info.ts';
import { createPolicy } from './jobs/policy/policy.ts';
import type { Templates } from './jobs/templates.ts';
import type { Client } from './kubernetes/contract.ts';
import { instrumentedClient } from './kubernetes/decorate-client.ts';
import { tokenSubject } from './kubernetes/http/credentials.ts';
import { LatencyHistogram } from './launcher/plugin-metrics.ts';
import { createLauncherSession, type LauncherSession } from './launcher/session.ts';
import { MAX_OUTPUT_STREAMS } from './launcher/session-limits.ts';
import { within } from './system/async.ts';
import { sleep, systemClock } from './system/clock.ts';
import type { Logger } from './system/logger.ts';
import { exitOnCrash } from './system/process.ts';
import { collectGarbage, limitHeapAndCompiler, openFileLimit } from './system/process-limits.ts';
import { jitter, randomText, systemRandom } from './system/random.ts';
import { createUsers, type Users } from './system/users.ts';

/** Exit code after a broken frame; every other end of the session is a success. */
const EXIT_BROKEN_FRAME = 1;

/** Time for open work to finish at the end; the launcher waits for 5 s in all (protocol section 0). */
const CLOSE_MS = 1_500;

/** Time between the first synchronization and the collection of its garbage. */
const SETTLE_MS = 5_000;

/** Resolves with the exit code at the end of the session. Throws ConfigError if the plugin cannot start. */
export async function runPlugin(
  options: Options,
  log: Logger,
  applyLog: (changed: RunningSettings) => void,
): Promise<number> {
  const { files, warnings } = readPolicyFiles(options);
  for (const warning of warnings) log.warning(advise(warning));
  const templates = options.useTemplating ? await readTemplates(options, log) : undefined;
  const reloadable = createReloadable({
    options,
    files,
    apply: applyLog,
    prepare: () => templates?.prepare() ?? (() => {}),
  });
  const latencies = new LatencyHistogram();
  // Reports an unusable token file at the start, as a configuration problem.
  if (options.authTokenPath !== undefined) readTokenFile(options.authTokenPath, options);
  for (const warning of clusterFileWarnings(options)) log.warning(advise(warning));
  const client = instrumentedClient(
    connect(options, { clock: systemClock, random: jitter, log }),
    systemClock,
    (seconds) => latencies.observe(seconds),
  );
  const users = createUsers({ clock: systemClock, log });
  process.on('exit', users.close);
  const running = followJobs(options, reloadable, client, users, log, templates);
  const ending = new AbortController();

  const reload = (pushed?: PushedSettings) => {
    const report = reloadAndLog(reloadable, log, pushed);
    if (report.errorType === 0) void warnAboutMissingGroups(reloadable, users, log);
    return report;
  };
  const session = converse(options, auditedJobs(running, log, systemClock), log, reload, latencies);
  exitOnCrash({
    log,
    flush: async () => {
      session.close();
      await session.done;
      log.close();
    },
  });
  const end = (signal: NodeJS.Signals): void => {
    log.notice('Received a signal; exiting', { signal });
    session.close();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', () => reload());

  const followed = running.run(ending.signal);
  // While the first connection to the cluster is opened.
  limitHeapAndCompiler();
  void running.mayCall(ending.signal).then(() => client.reportOutages(ending.signal));
  void logWhenSynced(running, client, options.apiUrl, log, ending.signal);
  void warnAboutMissingGroups(reloadable, users, log);
  void settle(running, ending.signal);

  const { reason, ...why } = await session.done;
  log.notice('Launcher session ended', { reason, ...why });
  ending.abort(new Error('the plugin is exiting'));
  // Final states that were announced and not saved are saved last.
  await within(systemClock, CLOSE_MS, () => followed.then(client.close));
  return reason === 'broken-frame' ? EXIT_BROKEN_FRAME : 0;
}

/** Their code is loaded only if they are used: a start is faster without it. */
async function readTemplates(options: Options, log: Logger): Promise<Templates> {
  const { Templates: SiteTemplates } = await import('./jobs/templates.ts');
  return new SiteTemplates(options, log, () => systemClock.now());
}

/** Logs the cluster and its version after the first synchronization. Never rejects. */
async function logWhenSynced(
  jobs: RunningJobs,
  client: Client,
  url: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const cluster = { url, namespace: client.namespace };
  try {
    await jobs.synced(signal);
    await jobs.mayCall(signal);
    const { gitVersion: kubernetes } = await client.version({ signal });
    log.notice('Synced with the cluster', { ...cluster, kubernetes });
  } catch (error) {
    if (!signal.aborted) log.notice('Synced with the cluster, but its version cannot be read', { ...cluster, error });
  }
}

/** Returns the memory of the first synchronization to the system, after waiting requests were answered. Never rejects. */
async function settle(jobs: Jobs, signal: AbortSignal): Promise<void> {
  try {
    await jobs.synced(signal);
    await sleep(systemClock, SETTLE_MS, signal);
    collectGarbage();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Warns about sections of groups that do not exist on this host, which match no user. Never rejects. */
async function warnAboutMissingGroups(reloadable: Reloadable, users: Users, log: Logger): Promise<void> {
  try {
    const missing = await missingGroups(reloadable.files().profiles, users);
    for (const group of missing) log.warning(advise(group));
  } catch (error) {
    log.warning('Cannot verify that the groups of the profiles file exist; continuing without this check', { error });
  }
}

/** The service account of the token file; undefined if it cannot be determined. */
function subjectOf(file: string, options: Options): ReturnType<typeof tokenSubject> {
  try {
    return tokenSubject(readTokenFile(file, options));
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function followJobs(
  options: Options,
  reloadable: Reloadable,
  client: Client,
  users: Users,
  log: Logger,
  templates: Templates | undefined,
): RunningJobs {
  const { authToken, authTokenPath } = options;
  let subject = tokenSubject(authToken ?? '');
  return createJobs({
    client,
    templates: templates && ((user) => templates.current(user)),
    policy: createPolicy({
      files: reloadable.files,
      users,
      ownAccount: () => {
        if (authTokenPath !== undefined) subject = subjectOf(authTokenPath, options) ?? subject;
        return subject?.namespace === client.namespace ? subject : undefined;
      },
      serviceAccounts: () => serviceAccountNames(client, log),
    }),
    options: () => ({ ...options, jobExpiryHours: reloadable.settings().jobExpiryHours }),
    clock: systemClock,
    random: systemRandom,
    log: locatingLog(log, options),
    processId: `${hostname()}/${options.pluginName}/${randomText(jitter, 8)}`,
  });
}

function reloadAndLog(reloadable: Reloadable, log: Logger, pushed?: PushedSettings) {
  const { warnings, ...report } = reloadable.reload(pushed);
  const { errorType, errorMessage, applied, pendingRestart } = report;
  for (const warning of warnings) log.warning(advise(warning));
  if (errorType === 0)
    log.notice('Reloaded profiles, resource profiles, overrides and templates', { applied, pendingRestart });
  else log.error(`Reload failed; keeping the previous configuration: ${errorMessage}`);
  return report;
}

function converse(
  options: Options,
  jobs: Jobs,
  log: Logger,
  reload: (pushed: PushedSettings) => ReturnType<typeof reloadAndLog>,
  latencies: LatencyHistogram,
): LauncherSession {
  const files = openFileLimit();
  return createLauncherSession({
    input: process.stdin,
    output: openStdout(),
    jobs,
    clock: systemClock,
    log,
    heartbeatIntervalSeconds: options.heartbeatIntervalSeconds,
    maxMessageSize: options.maxMessageSize,
    metricsIntervalSeconds: options.pluginMetricsIntervalSeconds,
    maxOutputStreams: files === undefined ? MAX_OUTPUT_STREAMS : Math.min(MAX_OUTPUT_STREAMS, Math.floor(files / 2)),
    reload: async (pushed) => reload(pushed),
    metrics: () => {
      const latency = latencies.take();
      return {
        uptimeSeconds: process.uptime(),
        memoryUsageBytes: residentMemory(),
        ...(latency !== undefined && { clusterInteractionLatencySample: latency }),
      };
    },
  });
}

/**
 * stdout as an asynchronous stream with back-pressure. A socket on descriptor 1 is asynchronous in every runtime;
 * `process.stdout` is not, and is used only for files and terminals.
 */
function openStdout(): Writable {
  try {
    return new Socket({ fd: 1, readable: false, writable: true });
  } catch {
    return process.stdout;
  }
}

/** In bytes; 0 if it cannot be read: it comes from a file, and there may be no descriptor left. */
function residentMemory(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

/**
 * The plugin as the server user: reads what needs no root, wires config, client, jobs and conversation together, and
 * stays until the launcher or a signal ends it. main.ts loads it when root was given up.
 */
import { hostname } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { programName } from './cli/version.ts';
import { readTokenFile, tokenFileWarnings } from './config/options/cluster-access.ts';
import type { Options } from './config/options/options.ts';
import { createReloadable, type InheritedSettings, type Reloadable } from './config/options/reload.ts';
import { readPolicyFiles } from './config/profiles/policy-files.ts';
import { missingGroups } from './config/profiles/user-profile.ts';
import { advise, ConfigError } from './config/text/problem.ts';
import { auditedJobs } from './jobs/audit.ts';
import { connect, locatingLog } from './jobs/connect.ts';
import type { Jobs } from './jobs/contract.ts';
import { createJobs, type RunningJobs } from './jobs/jobs.ts';
import { serviceAccountNames } from './jobs/policy/cluster-info.ts';
import { createPolicy } from './jobs/policy/policy.ts';
import type { Client } from './kubernetes/contract.ts';
import { instrumentedClient } from './kubernetes/decorate-client.ts';
import { tokenSubject } from './kubernetes/http/credentials.ts';
import { LatencyHistogram } from './launcher/plugin-metrics.ts';
import { createLauncherSession, type LauncherSession } from './launcher/session.ts';
import { MAX_OUTPUT_STREAMS } from './launcher/session-limits.ts';
import { within } from './system/async.ts';
import { sleep, systemClock } from './system/clock.ts';
import { exitOnCrash } from './system/crash.ts';
import { collectGarbage, limitHeapGrowth, openFileLimit } from './system/limits.ts';
import { openLogFile } from './system/log-file.ts';
import type { Logger } from './system/logger.ts';
import { randomText, systemRandom } from './system/random.ts';
import { openStdio } from './system/stdio.ts';
import { createUsers, type Users } from './system/users.ts';

/** A broken frame; everything else that ends the conversation is as it should be. */
const EXIT_BROKEN_FRAME = 1;

/** What ends in time by itself is not cut off, what does not is: 5 s in all (protocol section 0). */
const CLOSE_MS = 1_500;

/** From the first list on until its garbage is collected. */
const SETTLE_MS = 5_000;

/** Resolves with the exit code at the end of the conversation. Throws ConfigError if the plugin cannot start. */
export async function runPlugin(options: Options, log: Logger): Promise<number> {
  const { files, warnings } = readPolicyFiles(options);
  for (const warning of warnings) log.warning(advise(warning));
  const reloadable = createReloadable({
    options,
    files,
    apply: ({ logLevel, loggingDir: directory }) => {
      const program = programName(options.pluginName);
      log.setLevel(logLevel);
      log.setSink(() => openLogFile({ directory, program, clock: systemClock }));
    },
  });
  const latencies = new LatencyHistogram();
  // The start says what is wrong with it, in the plugin's words.
  if (options.authTokenPath !== undefined) readTokenFile(options.authTokenPath, options);
  for (const warning of tokenFileWarnings(options)) log.warning(advise(warning));
  const client = instrumentedClient(
    connect(options, { clock: systemClock, random: systemRandom, log }),
    systemClock,
    (seconds) => latencies.observe(seconds),
  );
  const users = createUsers({ clock: systemClock });
  const running = followJobs(options, reloadable, client, users, log);
  const ending = new AbortController();

  const reload = (pushed?: InheritedSettings) => {
    const report = reloadAndLog(reloadable, log, pushed);
    if (report.errorType === 0) void tellMissingGroups(reloadable, users, log);
    return report;
  };
  const session = converse(options, auditedJobs(running, log), log, reload, latencies);
  exitOnCrash({
    log,
    flush: async () => {
      session.close();
      await session.done;
      log.close();
    },
  });
  const end = (signal: NodeJS.Signals): void => {
    log.notice('Ends because of a signal', { signal });
    session.close();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', () => reload());

  // The launcher has sent its Bootstrap by now and waits: it is answered before the first connection is made.
  await nextTurn();
  limitHeapGrowth();
  const followed = running.run(ending.signal);
  void tellWhenSynced(running, client, options.apiUrl, log, ending.signal);
  void tellMissingGroups(reloadable, users, log);
  void settle(running, ending.signal);

  const { reason, ...why } = await session.done;
  log.notice('The conversation with the launcher has ended', { reason, ...why });
  ending.abort(new Error('the plugin ends'));
  await within(systemClock, CLOSE_MS, () => Promise.all([followed, client.close()]));
  return reason === 'broken-frame' ? EXIT_BROKEN_FRAME : 0;
}

/** One line when the jobs are known, with what an administrator needs to recognise the cluster. Never rejects. */
async function tellWhenSynced(
  jobs: Jobs,
  client: Client,
  url: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const cluster = { url, namespace: client.namespace };
  try {
    await jobs.synced(signal);
    const { gitVersion: kubernetes } = await client.version({ signal });
    log.notice('Synced: the jobs of the cluster are known', { ...cluster, kubernetes });
  } catch (error) {
    if (!signal.aborted) log.notice('Synced, but the version of the cluster cannot be read', { ...cluster, error });
  }
}

/** Gives back what reading the cluster took, once whoever waited for it was answered. Never rejects. */
async function settle(jobs: Jobs, signal: AbortSignal): Promise<void> {
  try {
    await jobs.synced(signal);
    await sleep(systemClock, SETTLE_MS, signal);
    collectGarbage();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** A section of a group that this host does not know is for nobody: perhaps a slip of the pen. Never rejects. */
async function tellMissingGroups(reloadable: Reloadable, users: Users, log: Logger): Promise<void> {
  try {
    const missing = await missingGroups(reloadable.files().profiles, users);
    for (const group of missing) log.warning(advise(group));
  } catch (error) {
    log.warning('The groups of the profiles cannot be looked up', { error });
  }
}

/** Whose token it is that the file holds now; undefined if that cannot be told. */
function subjectOf(file: string, options: Options): ReturnType<typeof tokenSubject> {
  try {
    return tokenSubject(readTokenFile(file, options));
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function followJobs(options: Options, reloadable: Reloadable, client: Client, users: Users, log: Logger): RunningJobs {
  const { authToken, authTokenPath } = options;
  let subject = tokenSubject(authToken ?? '');
  return createJobs({
    client,
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
    processId: `${hostname()}/${options.pluginName}/${randomText(systemRandom, 8)}`,
  });
}

function reloadAndLog(reloadable: Reloadable, log: Logger, pushed?: InheritedSettings) {
  const { warnings, ...report } = reloadable.reload(pushed);
  const { errorType, errorMessage, applied, pendingRestart } = report;
  for (const warning of warnings) log.warning(advise(warning));
  if (errorType === 0) log.notice('Reloaded profiles, resource profiles and overrides', { applied, pendingRestart });
  else log.error(`Nothing was reloaded, what was in force stays so: ${errorMessage}`);
  return report;
}

function converse(
  options: Options,
  jobs: Jobs,
  log: Logger,
  reload: (pushed: InheritedSettings) => ReturnType<typeof reloadAndLog>,
  latencies: LatencyHistogram,
): LauncherSession {
  const files = openFileLimit();
  return createLauncherSession({
    ...openStdio(),
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

/** In bytes; 0 where it cannot be told: it is read from a file, and there may be no descriptor left for that. */
function residentMemory(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

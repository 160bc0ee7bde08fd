/**
 * The plugin as the server user: reads what needs no root, wires config, client, jobs and conversation together, and
 * stays until the launcher or a signal ends it. main.ts loads it when root was given up.
 */
import { hostname } from 'node:os';
import { readClusterAccess } from './config/cluster-access.ts';
import { readTextFile } from './config/file.ts';
import type { Options } from './config/options.ts';
import { ConfigError, problem } from './config/problem.ts';
import { refuseProfiles } from './config/profiles-gate.ts';
import { auditedJobs } from './jobs/audit.ts';
import type { Jobs } from './jobs/contract.ts';
import { createJobs } from './jobs/jobs.ts';
import { unrestricted } from './jobs/unrestricted.ts';
import { createClient } from './kubernetes/client.ts';
import type { Client } from './kubernetes/contract.ts';
import type { Credentials } from './kubernetes/credentials.ts';
import { MAX_OUTPUT_STREAMS } from './launcher/limits.ts';
import { createLauncherSession, type LauncherSession } from './launcher/session.ts';
import { systemClock } from './system/clock.ts';
import { exitOnCrash } from './system/crash.ts';
import { openFileLimit } from './system/limits.ts';
import type { Logger } from './system/logger.ts';
import { randomText, systemRandom } from './system/random.ts';
import { openStdio } from './system/stdio.ts';

/** A broken frame; everything else that ends the conversation is as it should be. */
const EXIT_BROKEN_FRAME = 1;

/** What ends in time by itself is not cut off, what does not is: 5 s in all (protocol section 0). */
const CLOSE_MS = 1_500;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Resolves with the exit code at the end of the conversation. Throws ConfigError if the plugin cannot start. */
export async function runPlugin(options: Options, log: Logger): Promise<number> {
  const refused = refuseProfiles(options);
  if (refused.length > 0) throw new ConfigError('wrong', refused);
  const client = connect(options, log);
  const running = createJobs({
    client,
    policy: unrestricted,
    options: () => options,
    clock: systemClock,
    random: systemRandom,
    log,
    processId: `${hostname()}/${options.pluginName}/${randomText(systemRandom, 8)}`,
  });
  const ending = new AbortController();
  const followed = running.run(ending.signal);
  running.synced(ending.signal).then(
    () => log.notice('Synced: the jobs of the cluster are known'),
    (error: unknown) => log.debug('The plugin ended before the jobs were known', { error }),
  );

  const session = converse(options, auditedJobs(running, log), log);
  exitOnCrash({
    log,
    flush: async () => {
      session.close();
      await session.done;
      log.close();
    },
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    log.notice('Ends by a signal', { signal });
    session.close();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);

  const { reason, ...why } = await session.done;
  log.notice('The conversation with the launcher has ended', { reason, ...why });
  for (const signal of SIGNALS) process.off(signal, onSignal);
  ending.abort(new Error('the plugin ends'));
  await within(CLOSE_MS, Promise.all([followed, client.close()]));
  return reason === 'broken-frame' ? EXIT_BROKEN_FRAME : 0;
}

/** The client of the cluster. Everything that it will need later is read now, so that the start says what is wrong. */
function connect(options: Options, log: Logger): Client {
  const { apiUrl, verifySslCerts, fetchLimit, watchTimeoutSeconds, requestTimeoutSeconds } = options;
  const { namespace, certificateAuthority } = readClusterAccess(options);
  return createClient(
    {
      apiUrl,
      credentials: credentialsOf(options),
      tls: { ca: certificateAuthority, verify: verifySslCerts },
      namespace,
      fetchLimit,
      watchTimeoutSeconds,
      requestTimeoutMs: requestTimeoutSeconds * 1000,
    },
    { clock: systemClock, random: systemRandom, log },
  );
}

function credentialsOf({ authToken, authTokenPath }: Options): Credentials {
  if (authTokenPath === undefined) {
    return authToken === undefined ? { kind: 'none' } : { kind: 'token', token: authToken };
  }
  const text = readTextFile(authTokenPath)?.text;
  if (text === undefined || text.trim() === '') {
    const why = text === undefined ? 'there is no such file' : 'the file holds no token';
    const code = text === undefined ? 'unreadable' : 'wrong';
    throw new ConfigError(code, [problem({ file: authTokenPath, line: 0 }, 'auth-token-path', why)]);
  }
  return { kind: 'token-file', path: authTokenPath };
}

function converse(options: Options, jobs: Jobs, log: Logger): LauncherSession {
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
    reload: async () => ({
      errorType: -1,
      errorMessage: 'this version reads its configuration at the start only',
      applied: [],
      pendingRestart: [],
    }),
    metrics: () => ({ uptimeSeconds: process.uptime(), memoryUsageBytes: process.memoryUsage.rss() }),
  });
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = systemClock.after(ms, resolve);
  await Promise.race([work, promise]);
  cancel();
}

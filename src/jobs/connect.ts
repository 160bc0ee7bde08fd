/** The client that the options describe; the plugin and the commands of administrators use the same. */
import { type ClusterAccess, readClusterAccess } from '../config/options/cluster-access.ts';
import type { Options } from '../config/options/options.ts';
import { createClient } from '../kubernetes/client.ts';
import type { Client } from '../kubernetes/contract.ts';
import type { Credentials } from '../kubernetes/http/credentials.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import { locatingLog } from './concerned.ts';

interface ConnectOptions {
  /** Default: as the options say. */
  readonly access?: ClusterAccess;
  /** Deadline of one call; default: option `request-timeout-seconds`. */
  readonly timeoutMs?: number;
  /** Somebody waits: a server that refuses connections is not tried again. */
  readonly atOnce?: boolean;
}

/**
 * The client of the cluster that the options name, for the plugin and for the commands of an administrator, so that
 * these see what the plugin sees. Throws ConfigError if a file with CA or namespace cannot be used.
 */
export function connect(
  options: Options,
  { clock, random, log }: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  {
    access = readClusterAccess(options),
    timeoutMs = options.requestTimeoutSeconds * 1000,
    atOnce = false,
  }: ConnectOptions = {},
): Client {
  return createClient(
    {
      apiUrl: options.apiUrl,
      credentials: credentialsOf(options),
      tls: { ca: access.certificateAuthority, verify: options.verifySslCerts },
      namespace: access.namespace,
      fetchLimit: options.fetchLimit,
      watchTimeoutSeconds: options.watchTimeoutSeconds,
      requestTimeoutMs: timeoutMs,
      ...(atOnce ? { timings: { retryNotReached: 0 } } : {}),
    },
    { clock, random, log: locatingLog(log, options) },
  );
}

function credentialsOf({ authToken, authTokenPath }: Options): Credentials {
  if (authTokenPath !== undefined) return { kind: 'token-file', path: authTokenPath };
  return authToken === undefined ? { kind: 'none' } : { kind: 'token', token: authToken };
}

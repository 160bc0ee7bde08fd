/** The client that the options describe; the plugin and the commands of administrators use the same. */
import { type ClusterAccess, readClusterAccess } from '../config/options/cluster.ts';
import type { Options } from '../config/options/options.ts';
import { optionPlace } from '../config/text/problem.ts';
import { createClient } from '../kubernetes/client.ts';
import type { Client } from '../kubernetes/contract.ts';
import type { Credentials } from '../kubernetes/http/credentials.ts';
import { isMissingRight, KubernetesError, type KubernetesErrorCode } from '../kubernetes/kubernetes-error.ts';
import type { Clock } from '../system/clock.ts';
import type { Log, LogFields } from '../system/log.ts';
import type { Random } from '../system/random.ts';

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

type Written = Pick<Options, 'authTokenPath' | 'origins'>;

/** `/etc/rstudio/launcher.kubernetes.conf:2: auth-token`, and the file that it names. */
export function tokenPlace({ authTokenPath, origins }: Written): string {
  const option = authTokenPath === undefined ? 'auth-token' : 'auth-token-path';
  const named = optionPlace(origins, option);
  return authTokenPath === undefined ? named : `${named}: ${authTokenPath}`;
}

/** Node's codes for a certificate that is out of date. */
export const OUT_OF_DATE: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
/** Node's codes for one that nobody who is trusted has signed. */
const UNKNOWN_ISSUER = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA$)/;

/** The option that TLS failed by, from Node's code: what is trusted where that is written and wrong, else the address. */
export function tlsPlace(code: string, { origins }: Pick<Written, 'origins'>): string {
  const isIssuer = UNKNOWN_ISSUER.test(code) && !OUT_OF_DATE.has(code);
  return optionPlace(origins, isIssuer && origins.has('certificate-authority') ? 'certificate-authority' : 'api-url');
}

type Place = (error: KubernetesError, options: Written) => string;

/** What an administrator has to change where trying again does not help. */
const PLACES: Readonly<Partial<Record<KubernetesErrorCode, Place>>> = {
  unauthorized: (_, options) => tokenPlace(options),
  credentials: (_, options) => tokenPlace(options),
  tls: ({ reason }, options) => tlsPlace(reason, options),
  redirected: (_, { origins }) => optionPlace(origins, 'api-url'),
  'bad-answer': (_, { origins }) => optionPlace(origins, 'api-url'),
  forbidden: (_, options) => `${optionPlace(options.origins, 'kubernetes-namespace')}; ${tokenPlace(options)}`,
};

/** The same log, which tells with such an error of the cluster also the option and where it is written. */
export function locatingLog(log: Log, options: Written): Log {
  const located = (fields: LogFields | undefined): LogFields | undefined => {
    const error = fields?.error;
    if (!(error instanceof KubernetesError) || (error.code === 'forbidden' && !isMissingRight(error))) return fields;
    const option = PLACES[error.code]?.(error, options);
    return option === undefined ? fields : { ...fields, option };
  };
  return {
    error: (sentence, fields) => log.error(sentence, located(fields)),
    warning: (sentence, fields) => log.warning(sentence, located(fields)),
    info: (sentence, fields) => log.info(sentence, located(fields)),
    debug: (sentence, fields) => log.debug(sentence, located(fields)),
    notice: (sentence, fields, as) => log.notice(sentence, located(fields), as),
  };
}

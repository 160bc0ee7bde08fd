/** Client for the cluster that the options name, and the option that an API error concerns with the place where it is set. */
import { type ClusterAccess, readClusterAccess } from '../config/options/cluster.ts';
import type { Options } from '../config/options/options.ts';
import { optionPlace } from '../config/text/problem.ts';
import { createClient } from '../kubernetes/client.ts';
import type { Client } from '../kubernetes/contract.ts';
import type { Credentials } from '../kubernetes/http/credentials.ts';
import {
  ANSWER_TOO_LONG,
  isMissingPermission,
  KubernetesError,
  type KubernetesErrorCode,
} from '../kubernetes/kubernetes-error.ts';
import type { Clock } from '../system/clock.ts';
import type { Log, LogFields } from '../system/log.ts';
import type { Random } from '../system/random.ts';

interface ConnectOptions {
  /** Default: as the options say. */
  readonly access?: ClusterAccess;
  /** Deadline of one call; default: option `request-timeout-seconds`. */
  readonly timeoutMs?: number;
  /** A user waits: a refused connection is not retried. */
  readonly atOnce?: boolean;
}

/**
 * Client for the cluster that the options name; the plugin and the commands use the same. Throws ConfigError if the CA file or
 * the namespace file cannot be used.
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
      proxy: options.httpsProxy,
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

type OptionOrigins = Pick<Options, 'authTokenPath' | 'certificateAuthorityPath' | 'origins'>;

/** `/etc/rstudio/launcher.kubernetes.conf:2: auth-token`, and the token file if the option names one. */
export function tokenPlace({ authTokenPath, origins }: OptionOrigins): string {
  const option = authTokenPath === undefined ? 'auth-token' : 'auth-token-path';
  const named = optionPlace(origins, option);
  return authTokenPath === undefined ? named : `${named}: ${authTokenPath}`;
}

/** Codes of Node.js for a certificate that has expired or is not valid yet. */
export const OUT_OF_DATE: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
/** Codes of Node.js for a certificate that no trusted CA has signed. */
const UNKNOWN_ISSUER = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA$)/;

/**
 * The option that a TLS error concerns: `certificate-authority` if it is set and the issuer is unknown, else `api-url`. In a
 * pod, where no option names the CA, its file.
 */
export function tlsPlace(code: string, options: Pick<OptionOrigins, 'certificateAuthorityPath' | 'origins'>): string {
  const { certificateAuthorityPath: path, origins } = options;
  const isIssuer = UNKNOWN_ISSUER.test(code) && !OUT_OF_DATE.has(code);
  if (isIssuer && path !== undefined && !origins.has('certificate-authority')) return path;
  return optionPlace(origins, isIssuer && origins.has('certificate-authority') ? 'certificate-authority' : 'api-url');
}

type ErrorLocation = (error: KubernetesError, options: OptionOrigins) => string | undefined;

/** Options to change for errors that a retry does not resolve. */
const LOCATIONS: Readonly<Partial<Record<KubernetesErrorCode, ErrorLocation>>> = {
  unauthorized: (_, options) => tokenPlace(options),
  credentials: (_, options) => tokenPlace(options),
  tls: ({ reason }, options) => tlsPlace(reason, options),
  redirected: (_, { origins }) => optionPlace(origins, 'api-url'),
  'bad-answer': ({ reason }, { origins }) => (reason === ANSWER_TOO_LONG ? undefined : optionPlace(origins, 'api-url')),
  unreachable: ({ reason }, { origins }) =>
    reason.startsWith('proxy-') ? optionPlace(origins, 'https-proxy') : undefined,
  forbidden: (_, options) => `${optionPlace(options.origins, 'kubernetes-namespace')}; ${tokenPlace(options)}`,
};

/** Adds field `option` to log lines with an API error: the option that it concerns, and where it is set. */
export function locatingLog(log: Log, options: OptionOrigins): Log {
  const located = (fields: LogFields | undefined): LogFields | undefined => {
    const error = fields?.error;
    if (!(error instanceof KubernetesError) || (error.code === 'forbidden' && !isMissingPermission(error)))
      return fields;
    const option = LOCATIONS[error.code]?.(error, options);
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

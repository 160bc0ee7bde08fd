/**
 * Every option (configuration.md section 1): kind, default and meaning. Parsing, validation, help and docs/reference.md
 * use this table.
 */
import { isIP } from 'node:net';
import { LOG_LEVELS, type LogLevel } from '../../system/log.ts';
import {
  BOOLEAN,
  type CamelCase,
  DNS_LABEL,
  kind,
  listOf,
  oneOf,
  PATH,
  type Provenance,
  scientific,
  TEXT,
  type ValueKind,
  wholeNumber,
  withoutTrailingSlashes,
} from '../text/kinds.ts';

interface OptionRow<T> {
  readonly kind: ValueKind<T>;
  /** Value if none was written; undefined where it depends on other options or there is none. */
  readonly fallback: T;
  /** The default as the reference shows it. */
  readonly shown: string;
  readonly doc: string;
  readonly provenance: Provenance;
  /** Errors never echo the value. */
  readonly secret?: true;
  /** The part of a value that errors may echo; default: all of it. */
  readonly echo?: (text: string) => string;
  /** The only place where it may be written; default: both. */
  readonly only?: 'command line' | 'file';
}

/** Longest time of a timer, in seconds. */
const MOST_SECONDS = 2147483;

const LEVELS: ReadonlyMap<string, LogLevel> = new Map(
  LOG_LEVELS.flatMap((level, number) => [[level, level] as const, [String(number), level] as const]),
);

const LOG_LEVEL: ValueKind<LogLevel> = kind(`one of ${LOG_LEVELS.join(', ')}, or 0 to 4`, (text) =>
  LEVELS.get(text.toUpperCase()),
);

/** A user name that the system's name services may have. */
const USER_NAME: ValueKind<string> = kind('the name of a user other than root', (text) =>
  /^[^\s:,/\u0000]{1,256}$/.test(text) && !/^(root|\+?0+)$/.test(text) ? text : undefined,
);

/** Lower-cased on input: it becomes part of file names. */
const PLUGIN_NAME: ValueKind<string> = kind(
  'a name of letters, digits, ., _ and - that begins with a letter or digit',
  (text) => (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text.toLowerCase()) ? text.toLowerCase() : undefined),
);

/** The end of a URL that was copied from a request to the API. */
const API_PATH = /\/(?:api|api\/v1|apis)$/;

const API_URL: ValueKind<string> = {
  allowed: 'an http or https URL without user info, query and fragment, such as https://10.0.0.1:6443',
  write: String,
  parse: (text) => {
    const reason = API_URL.allowed;
    if (!/^https?:\/\/[^\s\\]+$/i.test(text) || !URL.canParse(text)) return { ok: false, reason };
    const url = new URL(text);
    if (url.username !== '' || url.password !== '' || /[?#@]/.test(text)) return { ok: false, reason };
    const value = `${url.origin}${withoutTrailingSlashes(url.pathname)}`;
    const base = value.replace(API_PATH, '');
    return base === value ? { ok: true, value } : { ok: false, reason: `the URL without /api: ${base}` };
  },
};

/** A URL without user info, query and fragment, which may hold passwords and tokens; works for malformed URLs too. */
function withoutUserInfo(url: string): string {
  return url.replace(/[?#].*$/s, '?...').replace(/^(\w+:\/\/)?.*@/s, '$1...@');
}

/** `http://[user:password@]host[:port]` */
const PROXY_URL: ValueKind<string> = kind(
  'an http or https URL without path, query and fragment, with user and password percent-encoded (% is %25), such as http://proxy.example:3128',
  (text) => {
    if (!/^https?:\/\/[^\s\\]{1,2000}$/i.test(text) || !URL.canParse(text)) return undefined;
    const { href, username, password, pathname, search, hash } = new URL(text);
    const isPlain = pathname === '/' && search === '' && hash === '';
    return isPlain && isPercentEncoded(`${username}:${password}`) ? href : undefined;
  },
);

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Other forms, such as `*.domain` and `host:port`, would match no API server. */
const PROXY_EXCEPTION: ValueKind<string> = kind(
  'a host, .domain, IP address, CIDR block or *, without scheme and port',
  (text) => (text === '*' || isDomain(text) || isNetwork(text) ? text.toLowerCase() : undefined),
);

/** A host or `.domain`. In a URL, a host with a number at its end is an IP address. */
function isDomain(text: string): boolean {
  return /^\.?[\w-]+(?:\.[\w-]+)*\.?$/.test(text) && !/(?:^|\.)\d+\.?$/.test(text);
}

/** An IP address, also in brackets, or a CIDR block. */
function isNetwork(text: string): boolean {
  const [, address = '', bits = '0'] = /^([\da-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text.replace(/^\[(.*)\]$/, '$1')) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 6 ? 128 : 32);
}

function row<T>(
  provenance: Provenance,
  rowKind: ValueKind<T>,
  fallback: T,
  doc: string,
  more: { shown?: string } = {},
): OptionRow<T> {
  return { kind: rowKind, fallback, shown: more.shown ?? showDefault(fallback), doc, provenance };
}

/** A row with an optional value. */
function optional<T>(
  provenance: Provenance,
  rowKind: ValueKind<T>,
  shown: string,
  doc: string,
  more: Pick<OptionRow<T>, 'secret' | 'echo' | 'only'> = {},
): OptionRow<T | undefined> {
  return { kind: rowKind, fallback: undefined, shown, doc, provenance, ...more };
}

function showDefault(value: unknown): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value);
}

const seconds = (least: number): ValueKind<number> => wholeNumber(least, MOST_SECONDS);

/** By name, in the order of the reference. */
export const OPTION_TABLE = {
  'server-user': row(
    'documented',
    USER_NAME,
    'rstudio-server',
    'User that the plugin runs as: it is started as root and drops privileges to this user.',
  ),
  'thread-pool-size': row('documented', wholeNumber(0, 1024), 0, 'Size of the worker pool; 0 means the default.', {
    shown: 'CPUs x 2',
  }),
  'enable-debug-logging': row('documented', BOOLEAN, false, '1: log level DEBUG, whatever log-level says.'),
  'log-level': row(
    'SDK',
    LOG_LEVEL,
    'WARNING',
    'Least severe level that is logged: OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4.',
  ),
  'log-format': row('ours', oneOf('text', 'json'), 'text', 'Format of log lines: text, or json (one object a line).'),
  'logging-dir': row(
    'SDK, newer',
    PATH,
    '/var/log/rstudio/launcher',
    'Directory of the log file rstudio-NAME-launcher.log (mode 0600). If it is not writable, the plugin warns and logs to stderr.',
  ),
  'scratch-path': optional(
    'documented',
    PATH,
    '/var/lib/rstudio-launcher/NAME',
    'Directory of the templates, unless template-path is set; the plugin writes nothing there. Created for the server user if it is missing; an existing directory is never changed.',
  ),
  'job-expiry-hours': row(
    'documented',
    scientific(0, 87600),
    24,
    'A finished job is deleted from the cluster after this many hours; fractions allowed.',
  ),
  'profile-config': optional(
    'documented',
    PATH,
    'launcher.NAME.profiles.conf beside the options file',
    'Profiles file. Without the default file there are no restrictions; a file named here must exist.',
  ),
  'resource-profile-config': optional(
    'newer, name ours',
    PATH,
    'launcher.NAME.resources.conf beside the options file',
    'Resource profiles file; a file named here must exist.',
  ),
  'api-url': optional(
    'documented',
    API_URL,
    'required outside a cluster',
    'Base URL of the Kubernetes API, without /api; may have a path prefix. IPv6 addresses in brackets.',
    { echo: withoutUserInfo },
  ),
  'auth-token': optional(
    'documented',
    TEXT,
    'required outside a cluster, unless auth-token-path is set',
    'Token of the service account, plain or base64. Not allowed on the command line.',
    { secret: true, only: 'file' },
  ),
  'auth-token-path': optional(
    'newer',
    PATH,
    '',
    'File with the token; read again when it changes. Overrides auth-token.',
  ),
  'kubernetes-namespace': row('documented', DNS_LABEL, 'rstudio', 'Namespace of the jobs.'),
  'verify-ssl-certs': row(
    'documented',
    BOOLEAN,
    true,
    '0: TLS certificates are not verified; the plugin logs a warning at each start.',
  ),
  'certificate-authority': optional(
    'documented',
    TEXT,
    'system roots',
    'Certificates to trust instead of the system roots: base64 of a PEM certificate or bundle, plain PEM, or an absolute path to a PEM file.',
    { secret: true },
  ),
  'watch-timeout-seconds': row(
    'documented',
    seconds(0),
    300,
    'Duration of each watch, requested from the API server; 0 means none is requested.',
  ),
  'fetch-limit': row('documented', wholeNumber(0, 1000000), 500, 'Page size of list calls; 0 means no limit.'),
  'request-timeout-seconds': row('ours', seconds(1), 30, 'Deadline of one API call (not of watches and logs).'),
  'service-type': row(
    'ours',
    oneOf('NodePort', 'ClusterIP', 'LoadBalancer'),
    'NodePort',
    'Type of the Service created for exposed ports: NodePort, ClusterIP or LoadBalancer.',
  ),
  'share-process-namespace': row(
    'ours',
    BOOLEAN,
    true,
    '1: the containers of a pod share one process namespace. 0: they do not, for images with an init process that must be PID 1.',
  ),
  'pending-timeout-seconds': row(
    'ours',
    seconds(0),
    0,
    'A job that has been Pending for this long is canceled; 0 means never.',
  ),
  'unknown-options': row(
    'ours',
    oneOf('refuse', 'warn'),
    'refuse',
    'warn: unknown options in the file are warnings instead of errors.',
  ),
  'kill-method': row(
    'ours',
    oneOf('auto', 'delete'),
    'auto',
    'auto: run kill in the container; if that fails, delete the pod. delete: always delete the pod.',
  ),
  'resource-poll-seconds': row(
    'ours',
    seconds(1),
    5,
    'Time between requests for pod metrics while a client streams resource usage, in seconds; more than 15 counts as 15.',
  ),
  'heartbeat-interval-seconds': row('SDK', seconds(0), 5, 'Time between heartbeats; 0 means none.'),
  'plugin-metrics-interval-seconds': row(
    'SDK',
    seconds(0),
    60,
    "Time between reports of the plugin's own metrics; 0 means none.",
  ),
  'max-message-size': row(
    'SDK',
    wholeNumber(1024, 536870000),
    5242880,
    'Largest message to and from the launcher, in bytes.',
  ),
  'plugin-name': row(
    'SDK',
    PLUGIN_NAME,
    'kubernetes',
    'Name of this instance (NAME): lower-cased in the names of files, and as it is written in the default of scratch-path.',
  ),
  'launcher-config-file': optional('SDK', TEXT, '', "The launcher's own configuration file; information only."),
  unprivileged: row(
    'SDK',
    BOOLEAN,
    false,
    '1: root creates no directories. The plugin still drops privileges when it is started as root.',
  ),
  'rsandbox-path': optional('SDK', TEXT, '', 'Ignored.'),
  'config-file': optional('SDK', TEXT, 'launcher.NAME.conf', 'The options file.', { only: 'command line' }),
  'use-templating': row(
    'newer',
    BOOLEAN,
    false,
    '1: job.tpl and service.tpl in template-path make the Kubernetes objects.',
  ),
  'template-path': optional('ours', PATH, 'scratch-path', 'Directory of the templates.'),
  'https-proxy': optional(
    'ours',
    PROXY_URL,
    '',
    'HTTP proxy for connections to the API server (CONNECT). A user and password only in an options file that root alone can read.',
    { echo: withoutUserInfo },
  ),
  'no-proxy': row(
    'ours',
    listOf(PROXY_EXCEPTION),
    [],
    'Hosts, .domains, IP addresses and CIDR blocks that are reached without https-proxy; * is all.',
  ),
  'strict-files': row(
    'ours',
    BOOLEAN,
    false,
    '1: configuration files that other users than root and the server user can change are errors, not warnings.',
  ),
} as const satisfies Readonly<Record<string, OptionRow<unknown>>>;

export type OptionName = keyof typeof OPTION_TABLE;

/** All names, in the order of the reference. */
export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTION_TABLE) as OptionName[];

/** Is this the name of an option? */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTION_TABLE, name);
}

/** The row of an option, with the type of its value erased. */
export function optionRow(name: OptionName): OptionRow<unknown> {
  return OPTION_TABLE[name];
}

/** The value of each option as its kind reads it, by camel-cased name. */
export type OptionValues = {
  readonly [Name in OptionName as CamelCase<Name>]: (typeof OPTION_TABLE)[Name] extends OptionRow<infer T> ? T : never;
};

/**
 * Every option there is (configuration.md section 1): its kind, default and meaning. Parsing, validation, help and the
 * page docs/reference.md follow from this table.
 */
import { LOG_LEVELS, type LogLevel } from '../../system/log.ts';
import {
  BOOLEAN,
  choice,
  DNS_LABEL,
  type Kind,
  kind,
  PATH,
  type Provenance,
  scientific,
  TEXT,
  wholeNumber,
} from '../text/values.ts';

interface OptionRow<T> {
  readonly kind: Kind<T>;
  /** Value when nothing, or nothing but blanks, was written; undefined where it depends on others or there is none. */
  readonly fallback: T;
  /** The default as the reference shows it. */
  readonly shown: string;
  readonly doc: string;
  readonly provenance: Provenance;
  /** Never echoed. */
  readonly secret?: true;
  /** What of a value may be shown; default: all of it. */
  readonly echo?: (text: string) => string;
  /** Where alone it may be written; default: both. */
  readonly only?: 'command line' | 'file';
}

/** Longest time that a timer can hold, in seconds. */
const MOST_SECONDS = 2147483;

const LEVELS: ReadonlyMap<string, LogLevel> = new Map(
  LOG_LEVELS.flatMap((level, number) => [[level, level] as const, [String(number), level] as const]),
);

const LOG_LEVEL: Kind<LogLevel> = kind(`one of ${LOG_LEVELS.join(', ')}, or 0 to 4`, (text) =>
  LEVELS.get(text.toUpperCase()),
);

/** A name that the system's name services may know. */
const USER_NAME: Kind<string> = kind('the name of a user other than root', (text) =>
  /^[^\s:,/\u0000]{1,256}$/.test(text) && !/^(root|\+?0+)$/.test(text) ? text : undefined,
);

/** Lower-cased on input: it becomes part of file names. */
const PLUGIN_NAME: Kind<string> = kind(
  'a name of letters, digits, ., _ and - that begins with a letter or digit',
  (text) => (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text.toLowerCase()) ? text.toLowerCase() : undefined),
);

/** What is copied along from the address of an answer. */
const API_PATH = /\/(?:api|api\/v1|apis)$/;

const API_URL: Kind<string> = {
  allowed: 'an http or https URL without user info, query and fragment, such as https://10.0.0.1:6443',
  parse: (text) => {
    const reason = API_URL.allowed;
    if (!/^https?:\/\/[^\s\\]+$/i.test(text) || !URL.canParse(text)) return { ok: false, reason };
    const url = new URL(text);
    if (url.username !== '' || url.password !== '' || /[?#@]/.test(text)) return { ok: false, reason };
    const value = `${url.origin}${url.pathname.replace(/(?<!\/)\/+$/, '')}`;
    const base = value.replace(API_PATH, '');
    return base === value ? { ok: true, value } : { ok: false, reason: `up to, not including, /api: ${base}` };
  },
};

/** A URL, or what was meant to be one, without user info, query and fragment, where passwords and tokens stand. */
function withoutUserInfo(url: string): string {
  return url.replace(/[?#].*$/s, '?...').replace(/^(\w+:\/\/)?.*@/s, '$1...@');
}

const NO_TEMPLATES: Kind<boolean> = {
  allowed: '0',
  parse: (text) => {
    const parsed = BOOLEAN.parse(text);
    if (!parsed.ok || !parsed.value) return parsed;
    return {
      ok: false,
      reason:
        '0: templates of the first-party plugin are not read; use job-json-overrides and the keys of the profiles file instead',
    };
  },
};

function row<T>(
  provenance: Provenance,
  rowKind: Kind<T>,
  fallback: T,
  doc: string,
  more: { shown?: string } = {},
): OptionRow<T> {
  return { kind: rowKind, fallback, shown: more.shown ?? showDefault(fallback), doc, provenance };
}

/** A row whose value may be absent. */
function optional<T>(
  provenance: Provenance,
  rowKind: Kind<T>,
  shown: string,
  doc: string,
  more: Pick<OptionRow<T>, 'secret' | 'echo' | 'only'> = {},
): OptionRow<T | undefined> {
  return { kind: rowKind, fallback: undefined, shown, doc, provenance, ...more };
}

function showDefault(value: unknown): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value);
}

const seconds = (least: number): Kind<number> => wholeNumber(least, MOST_SECONDS);

/** By name, in the order of the reference. */
export const OPTION_TABLE = {
  'server-user': row(
    'documented',
    USER_NAME,
    'rstudio-server',
    'User to run as once started; the plugin is started as root and lowers itself to this user.',
  ),
  'thread-pool-size': row('documented', wholeNumber(0, 1024), 0, 'Size of the worker pool; 0 means the default.', {
    shown: 'CPUs x 2',
  }),
  'enable-debug-logging': row('documented', BOOLEAN, false, 'Verbose log; beats log-level.'),
  'log-level': row('SDK', LOG_LEVEL, 'WARNING', 'How much is logged: OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4.'),
  'log-format': row('ours', choice('text', 'json'), 'text', 'Lines of the log: text, or json (one object a line).'),
  'logging-dir': row(
    'SDK, newer',
    PATH,
    '/var/log/rstudio/launcher',
    'Directory of the log file rstudio-NAME-launcher.log (mode 0600). Not writable: a warning, and the log goes to stderr.',
  ),
  'scratch-path': optional(
    'documented',
    PATH,
    '/var/lib/rstudio-launcher/NAME',
    'Where the plugin may write. Created if missing and then owned by the server user; an existing one is never changed.',
  ),
  'job-expiry-hours': row(
    'documented',
    scientific(0, 87600),
    24,
    'A finished job is removed from the cluster and forgotten after this many hours; fractions allowed.',
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
    'Base URL of the Kubernetes API up to, not including, /api; may carry a path prefix. IPv6 addresses in brackets.',
    { echo: withoutUserInfo },
  ),
  'auth-token': optional(
    'documented',
    TEXT,
    'required outside a cluster, unless auth-token-path is set',
    'Token of the service account, plain or base64. Not accepted on the command line.',
    { secret: true, only: 'file' },
  ),
  'auth-token-path': optional('newer', PATH, '', 'File with the token; read again when it changes. Beats auth-token.'),
  'kubernetes-namespace': row('documented', DNS_LABEL, 'rstudio', 'Namespace of the jobs.'),
  'verify-ssl-certs': row(
    'documented',
    BOOLEAN,
    true,
    '0 turns off TLS verification everywhere, with a warning in the log at each start.',
  ),
  'certificate-authority': optional(
    'documented',
    TEXT,
    'roots of the system',
    'What to trust instead of the roots of the system: base64 of a PEM certificate or bundle, plain PEM, or an absolute path to a PEM file.',
    { secret: true },
  ),
  'watch-timeout-seconds': row(
    'documented',
    seconds(0),
    300,
    'Ask the server to end each watch after this long; 0 means not asked.',
  ),
  'fetch-limit': row(
    'documented',
    wholeNumber(0, 1000000),
    500,
    'Most objects to ask for in one list call; 0 means no limit.',
  ),
  'request-timeout-seconds': row('ours', seconds(1), 30, 'Deadline of one API call (not of watches and logs).'),
  'service-type': row(
    'ours',
    choice('NodePort', 'ClusterIP', 'LoadBalancer'),
    'NodePort',
    'Type of the Service made for exposed ports: NodePort, ClusterIP or LoadBalancer.',
  ),
  'share-process-namespace': row('ours', BOOLEAN, true, '0 for images whose init insists on being PID 1.'),
  'pending-timeout-seconds': row('ours', seconds(0), 0, 'Cancel a job that has been Pending this long; 0 means never.'),
  'unknown-options': row(
    'ours',
    choice('refuse', 'warn'),
    'refuse',
    'warn: start although the file has options that this version does not know.',
  ),
  'kill-method': row(
    'ours',
    choice('auto', 'delete'),
    'auto',
    'auto: exec kill in the container, else delete the pod. delete: never exec.',
  ),
  'resource-poll-seconds': row(
    'ours',
    seconds(1),
    5,
    'How often metrics are asked for while somebody watches them, in seconds.',
  ),
  'heartbeat-interval-seconds': row('SDK', seconds(0), 5, 'Time between heartbeats; 0 means none.'),
  'plugin-metrics-interval-seconds': row(
    'SDK',
    seconds(0),
    60,
    'Time between reports of the plugin about itself; 0 means none.',
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
    'Name of this instance (NAME), lower-cased; names of files and directories follow from it.',
  ),
  'launcher-config-file': optional('SDK', TEXT, '', "The launcher's own file; information only."),
  unprivileged: row('SDK', BOOLEAN, false, '1: make no directories. As root the plugin lowers itself all the same.'),
  'rsandbox-path': optional('SDK', TEXT, '', 'Ignored.'),
  'config-file': optional('SDK', TEXT, 'launcher.NAME.conf', 'The options file.', { only: 'command line' }),
  'use-templating': row('newer', NO_TEMPLATES, false, 'Only 0: templates of the first-party plugin are not read.'),
} as const satisfies Readonly<Record<string, OptionRow<unknown>>>;

export type OptionName = keyof typeof OPTION_TABLE;

/** All names, in the order of the reference. */
export const OPTION_NAMES: readonly OptionName[] = Object.keys(OPTION_TABLE) as OptionName[];

/** Is this the name of an option? */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTION_TABLE, name);
}

/** The row of an option, its type forgotten. */
export function optionRow(name: OptionName): OptionRow<unknown> {
  return OPTION_TABLE[name];
}

/** `api-url` -> `apiUrl`. */
export type CamelCase<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

/** `api-url` -> `apiUrl`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The value of each option as its kind reads it, by camel-cased name. */
export type OptionValues = {
  readonly [Name in OptionName as CamelCase<Name>]: (typeof OPTION_TABLE)[Name] extends OptionRow<infer T> ? T : never;
};

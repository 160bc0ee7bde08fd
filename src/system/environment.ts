/**
 * The allowed environment variables of a start as root. LD_*, GCONV_PATH, NODE_*, UV_*, OPENSSL_* and others change what
 * the process does, so it executes itself again with allowed variables only (architecture.md section 7, step 1).
 */

/** The value of PATH; programs are started by absolute paths anyway. */
export const CLEAN_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Names of the variables that may have any value; TZ may have no path. */
export const ALLOWED: ReadonlySet<string> = new Set([
  'TZ',
  'TERM',
  'NO_COLOR',
  'COLUMNS',
  'SUDO_UID',
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
  'RSTUDIO_CONFIG_DIR',
  'XDG_CONFIG_DIRS',
  'RS_LOG_CONF_FILE',
  'RS_LOG_LEVEL',
  'RS_LOGGER_TYPE',
  'RS_LOG_MESSAGE_FORMAT',
  'RS_LOG_DIR',
]);

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The allowed part of an environment. */
export function cleanEnvironment(environment: Environment): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && isAllowed(entry[0], entry[1]),
  );
  return { ...Object.fromEntries(kept), PATH: CLEAN_PATH };
}

/** Names of the variables that are not allowed, sorted. */
export function uncleanVariables(environment: Environment): readonly string[] {
  return Object.entries(environment)
    .filter(([name, value]) => (name === 'PATH' ? value !== CLEAN_PATH : !isAllowed(name, value)))
    .map(([name]) => name)
    .sort();
}

function isAllowed(name: string, value: string | undefined): boolean {
  // The C library opens the file that a path in TZ names, which may be a device.
  if (name === 'TZ' && /^:?\/|\.\./.test(value ?? '')) return false;
  // setpriv and prlimit open files of the locale, which may be a path.
  if (name === 'LANG' || /^LC_[A-Z]+$/.test(name)) return /^[\w.@-]{0,64}$/.test(value ?? '');
  return ALLOWED.has(name);
}

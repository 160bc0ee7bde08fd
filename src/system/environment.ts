/**
 * The allowed environment variables of a start as root. LD_*, GCONV_PATH, NODE_*, UV_*, OPENSSL_* and others change what
 * the process does, so it executes itself again with allowed variables only (architecture.md section 7, step 1).
 */

/** The value of PATH; programs are started by absolute paths anyway. */
const CLEAN_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** First argument of the second execution. Internal. */
export const CLEANED = '--environment-cleaned';

const ALLOWED = new Set([
  'TZ',
  'LANG',
  'TERM',
  'NO_COLOR',
  'COLUMNS',
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
  'RSTUDIO_CONFIG_DIR',
  'XDG_CONFIG_DIRS',
]);

/** Environment variables by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** The allowed part of an environment. */
export function cleanEnvironment(environment: Environment): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && isAllowed(entry[0]),
  );
  return { ...Object.fromEntries(kept), PATH: CLEAN_PATH };
}

/** Names of the variables that are not allowed, sorted. */
export function uncleanVariables(environment: Environment): readonly string[] {
  return Object.keys(environment)
    .filter((name) => (name === 'PATH' ? environment['PATH'] !== CLEAN_PATH : !isAllowed(name)))
    .sort();
}

function isAllowed(name: string): boolean {
  return ALLOWED.has(name) || /^LC_[A-Z]+$/.test(name);
}

interface StartingProcess {
  readonly isRoot: boolean;
  readonly environment: Environment;
  /** Arguments of the plugin. */
  readonly args: readonly string[];
  /** Executes the program again with these arguments and this environment; does not return. */
  readonly replace: (args: readonly string[], environment: Record<string, string>) => never;
}

/**
 * Returns the plugin's arguments if the environment has allowed variables only, or if this is not root; else executes the
 * program again. Throws if the environment of the second execution is not clean.
 */
export function withCleanEnvironment({ isRoot, environment, args, replace }: StartingProcess): readonly string[] {
  const wasCleaned = args[0] === CLEANED;
  const rest = wasCleaned ? args.slice(1) : args;
  if (!isRoot) return rest;
  const unclean = uncleanVariables(environment);
  if (unclean.length === 0) return rest;
  if (wasCleaned) {
    throw new Error(
      `refusing to run as root: the environment still contains ${unclean.join(', ')} after it was cleaned`,
    );
  }
  return replace([CLEANED, ...rest], cleanEnvironment(environment));
}

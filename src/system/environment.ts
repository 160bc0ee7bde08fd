/**
 * A process that root starts must not be steered by the environment that it was started with: LD_*, GCONV_PATH,
 * NODE_*, UV_*, OPENSSL_* and whatever comes tomorrow change what it does. So it replaces itself by itself with an
 * allow-listed environment (architecture.md section 7, step 1).
 */

/** The only value of PATH that is kept; programs are started by absolute paths anyway. */
const CLEAN_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** First argument of a process that has replaced itself. Not for people. */
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

/** A variable of the environment by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** What is left of an environment. */
export function cleanEnvironment(environment: Environment): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && isAllowed(entry[0]),
  );
  return { ...Object.fromEntries(kept), PATH: CLEAN_PATH };
}

/** Names of the variables that do not belong there, sorted. */
export function uncleanVariables(environment: Environment): readonly string[] {
  return Object.keys(environment)
    .filter((name) => (name === 'PATH' ? environment['PATH'] !== CLEAN_PATH : !isAllowed(name)))
    .sort();
}

function isAllowed(name: string): boolean {
  return ALLOWED.has(name) || /^LC_[A-Z]+$/.test(name);
}

/** What withCleanEnvironment needs of the process it runs in. */
interface StartingProcess {
  readonly isRoot: boolean;
  readonly environment: Environment;
  /** Arguments of the plugin itself. */
  readonly args: readonly string[];
  /** Replaces the process by itself with these arguments and this environment; does not return. */
  readonly replace: (args: readonly string[], environment: Record<string, string>) => never;
}

/**
 * Returns the plugin's arguments once the environment is clean, or was not handed to root. Throws when a process that
 * says it was cleaned is not.
 */
export function withCleanEnvironment({ isRoot, environment, args, replace }: StartingProcess): readonly string[] {
  const wasCleaned = args[0] === CLEANED;
  const rest = wasCleaned ? args.slice(1) : args;
  if (!isRoot) return rest;
  const unclean = uncleanVariables(environment);
  if (unclean.length === 0) return rest;
  if (wasCleaned) {
    throw new Error(`refusing to run as root: the environment still holds ${unclean.join(', ')} after it was cleaned`);
  }
  return replace([CLEANED, ...rest], cleanEnvironment(environment));
}

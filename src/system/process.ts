/** Is this the single executable, where the first argument is not a script? */
function isSingleExecutable(): boolean {
  return process.getBuiltinModule('node:sea')?.isSea() ?? false;
}

/** The plugin's own arguments. */
export function ownArguments(): readonly string[] {
  return process.argv.slice(2);
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Replaces this process by itself (execve): same pid, same open pipes, nothing of stdin is lost. The program is taken
 * from /proc/self/exe, which is what is running whatever became of its path.
 */
export function replaceProcess(args: readonly string[], environment: Record<string, string>): never {
  if (process.execve === undefined) {
    throw new Error('refusing to run as root: this JavaScript runtime cannot replace its process (process.execve)');
  }
  // It would have root write files where it says. Loaded for that only: it takes its time.
  if (process.env['NODE_V8_COVERAGE']) process.getBuiltinModule('node:v8').stopCoverage();
  const [, script = ''] = process.argv;
  const own = isSingleExecutable() ? [] : [...process.execArgv, script];
  process.execve('/proc/self/exe', [process.argv0, ...own, ...args], environment);
  throw new Error('refusing to run as root: /proc/self/exe could not be executed again');
}

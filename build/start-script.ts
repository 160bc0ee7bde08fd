/** The bundle of src/start.ts as a script of its own, which V8 compiles with a code cache. */
import { Script } from 'node:vm';

/** What src/start.ts exports. */
interface StartModule {
  readonly start: (args: readonly string[], writeStderr: (line: string) => void) => Promise<number>;
}

/** Names of the executable's assets. */
export const START_ASSET = 'start.js';
export const CACHE_ASSET = 'start.cache';

/** Around the bundle: the script's value is a function. */
export const BANNER = '(function (require, module) {';
export const FOOTER = '})';

/** The script; the cache is what record-start.ts wrote for the same source with the same flags of V8. */
export function startScript(source: Buffer, codeCache?: Buffer): Script {
  // The source is ASCII: such a string costs nothing to make.
  return new Script(source.toString('latin1'), {
    filename: 'plugin.cjs',
    ...(codeCache !== undefined && { cachedData: codeCache }),
  });
}

/** Runs the script. */
export function loadStart(script: Script): StartModule {
  const module: { exports: unknown } = { exports: {} };
  script.runInThisContext()((name: string) => process.getBuiltinModule(name), module);
  return module.exports as StartModule;
}

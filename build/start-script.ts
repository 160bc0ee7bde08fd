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

/** Modules of Node.js that a start does not need, or needs for some options only: together they take 10 ms. */
const LAZY = ['crypto', 'tls', 'http', 'https', 'fs/promises', 'child_process'].map((name) => `node:${name}`);

/** Runs the script. */
export function loadStart(script: Script): StartModule {
  const module: { exports: unknown } = { exports: {} };
  const load = (name: string): unknown => process.getBuiltinModule(name);
  script.runInThisContext()((name: string) => (LAZY.includes(name) ? whenUsed(() => load(name)) : load(name)), module);
  return module.exports as StartModule;
}

/** An object that is loaded when one of its properties is read, as the bundle reads what it imports by name. */
function whenUsed(load: () => unknown): object {
  let loaded: object | undefined;
  return new Proxy(
    {},
    {
      get: (_target, name) => {
        loaded ??= Object(load()) as object;
        return Reflect.get(loaded, name);
      },
    },
  );
}

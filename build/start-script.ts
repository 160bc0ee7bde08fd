/** The bundle of src/start.ts, and the packages that it loads later, as scripts, which V8 compiles with code caches. */
import { Script } from 'node:vm';

/** What src/start.ts exports. */
interface StartModule {
  readonly start: (args: readonly string[], writeStderr: (line: string) => void) => Promise<number>;
}

/** Names of the executable's assets: two scripts, and code caches of the first one. A start reads only what it runs. */
export const START_ASSET = 'start.js';
export const PACKAGES_ASSET = 'packages.js';
export const START_CACHE = 'start.cache';
export const COMMANDS_CACHE = 'commands.cache';

/** What src/ imports of packages when it is used, by name: a script of its own, which is loaded then. */
export const PACKAGES = ['ws'];

/** Around a bundle: the script's value is a function. */
export const BANNER = '(function (require, module) {';
export const FOOTER = '})';

/** A script; the cache is what record-start.ts wrote for the same source with the same flags of V8. */
export function bundleScript(source: Buffer, codeCache?: Buffer): Script {
  // The source is ASCII: such a string costs nothing to make.
  return new Script(source.toString('latin1'), {
    filename: 'plugin.cjs',
    ...(codeCache !== undefined && { cachedData: codeCache }),
  });
}

/** Modules of Node.js that a start does not need, or needs for some options only: together they take 10 ms. */
const LAZY = ['crypto', 'tls', 'http', 'https', 'fs/promises', 'child_process'].map((name) => `node:${name}`);

/** Runs the script of the start. `packages` makes the other script. */
export function loadStart(script: Script, packages: () => Script): StartModule {
  let packaged: Readonly<Record<string, () => unknown>> | undefined;
  const load = (name: string): unknown => {
    // ws names modules of Node.js without node:.
    if (!PACKAGES.includes(name)) return process.getBuiltinModule(name);
    packaged ??= run<Readonly<Record<string, () => unknown>>>(packages());
    return packaged[name]?.();
  };
  const require = (name: string): unknown => (LAZY.includes(name) ? whenUsed(() => load(name)) : load(name));
  function run<T>(bundle: Script): T {
    const module: { exports: unknown } = { exports: {} };
    bundle.runInThisContext()(require, module);
    return module.exports as T;
  }
  return run(script);
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

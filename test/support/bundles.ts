/**
 * All of tap in one file, with the plugins of `.taprc`: the 200 small files that it is made of take 0.05 s of CPU in each test
 * file. Run as a program it makes that file, unless it is newer than what it depends on; where it is missing, tests load
 * tap as it is.
 */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
/** tap leaves the lines of files in such a folder out of stack traces. */
export const TAP_BUNDLE = join(ROOT, '.tap/node_modules/@tapjs/tap.mjs');

const SOURCES = ['.taprc', 'package-lock.json', 'node_modules/.package-lock.json', 'test/support/tap-bundle.ts'];
const modified = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

async function make(): Promise<void> {
  const [{ execFileSync }, { build }] = await Promise.all([import('node:child_process'), import('esbuild')]);
  execFileSync(join(ROOT, 'node_modules/.bin/tap'), ['build'], { cwd: ROOT, stdio: 'inherit' });
  mkdirSync(dirname(TAP_BUNDLE), { recursive: true });
  // Renamed into place, so that tests which run at this moment see complete files only.
  const made = `${TAP_BUNDLE}.${process.pid}`;
  await build({
    stdin: { contents: "export * from 'tap'; export { default } from 'tap';", resolveDir: ROOT },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: made,
    logLevel: 'warning',
    // CommonJS packages inside call it.
    banner: {
      js: "import * as nodeModule from 'node:module'; const require = nodeModule.createRequire(import.meta.url);",
    },
  });
  renameSync(made, TAP_BUNDLE);
}

if (import.meta.main && modified(TAP_BUNDLE) < Math.max(...SOURCES.map((path) => modified(join(ROOT, path)))))
  await make();

/**
 * Packages of many small files, each in one file: loading tap (200 files, with the plugins of `.taprc`), undici, yaml and ajv
 * as they are takes 0.1 s more CPU in each test file. Run as a program it makes these files, unless they are newer than what
 * they depend on; where they are missing, tests load the packages as they are.
 */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
const FOLDER = join(ROOT, '.tap/node_modules');
export const BUNDLES: Readonly<Record<string, string>> = {
  // tap leaves the lines of files in such a folder out of stack traces.
  tap: join(FOLDER, '@tapjs/tap.mjs'),
  undici: join(FOLDER, 'undici.mjs'),
  yaml: join(FOLDER, 'yaml.mjs'),
  ajv: join(FOLDER, 'ajv.mjs'),
};

const SOURCES = ['.taprc', 'package-lock.json', 'node_modules/.package-lock.json', 'test/support/bundles.ts'];
const modified = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

async function bundle(name: string, path: string): Promise<void> {
  const { build } = await import('esbuild');
  // The names that a CommonJS package exports are known when it has been loaded.
  const names = Object.keys(await import(name)).filter((each) => /^(?!default$)[\w$]+$/.test(each));
  const contents = `import * as all from '${name}'; export const { ${names.join(', ')} } = all; export default all.default;`;
  mkdirSync(dirname(path), { recursive: true });
  // Renamed into place, so that tests which run at this moment see complete files only.
  const made = `${path}.${process.pid}`;
  await build({
    stdin: { contents, resolveDir: ROOT, sourcefile: 'bundle.mjs' },
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
  renameSync(made, path);
}

const oldest = Math.min(...Object.values(BUNDLES).map(modified));
if (import.meta.main && oldest < Math.max(...SOURCES.map((path) => modified(join(ROOT, path))))) {
  const { execFileSync } = await import('node:child_process');
  execFileSync(join(ROOT, 'node_modules/.bin/tap'), ['build'], { cwd: ROOT, stdio: 'inherit' });
  for (const [name, path] of Object.entries(BUNDLES)) await bundle(name, path);
}

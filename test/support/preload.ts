/**
 * Preloaded into each test file (`.taprc`): tap reads no source maps and notes no loaded modules, and where stderr is no
 * terminal a line on it says that the file has ended.
 */
import { existsSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { relative } from 'node:path';
import { isatty } from 'node:tty';
import { pathToFileURL } from 'node:url';
import { BUNDLES, ROOT } from './bundles.ts';

// Erased types leave every line and column in place; reading the source maps of tap itself takes half of its start.
process.setSourceMapsEnabled(false);

// Programs that a test starts are no test files.
delete process.env['NODE_OPTIONS'];
const bundled = new Map(
  Object.entries(BUNDLES)
    .filter(([, path]) => existsSync(path))
    .map(([name, path]) => [name, pathToFileURL(path).href]),
);

registerHooks({
  resolve: (specifier, context, next) => {
    const url = bundled.get(specifier);
    if (url !== undefined) return { url, format: 'module', shortCircuit: true };
    // It reads each module once more, for a list that `tap repl` uses, and starts every Node.js below a test with itself.
    if (specifier.endsWith('/processinfo/dist/esm/import.mjs'))
      return { url: 'data:text/javascript,', shortCircuit: true };
    // Our own imports name their file: nothing is looked up for them.
    if (specifier.startsWith('.') && specifier.endsWith('.ts') && context.parentURL !== undefined)
      return { url: new URL(specifier, context.parentURL).href, format: 'module-typescript', shortCircuit: true };
    return next(specifier, context);
  },
});

process.on('exit', () => {
  if (isatty(2)) return;
  const seconds = (performance.now() / 1000).toFixed(1);
  writeSync(2, `# ${seconds.padStart(6)} s  ${relative(ROOT, process.argv[1] ?? '')}\n`);
});

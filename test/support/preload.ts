/**
 * Preloaded into each test file (`.taprc`): tap reads no source maps and notes no loaded modules, and where stderr is no
 * terminal a line on it says that the file has ended.
 */
import { existsSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { relative } from 'node:path';
import { isatty } from 'node:tty';
import { pathToFileURL } from 'node:url';
import { ROOT, TAP_BUNDLE } from './tap-bundle.ts';

// Erased types leave every line and column in place; reading the source maps of tap itself takes half of its start.
process.setSourceMapsEnabled(false);

// Programs that a test starts are no test files.
delete process.env['NODE_OPTIONS'];
const bundled = existsSync(TAP_BUNDLE) ? pathToFileURL(TAP_BUNDLE).href : undefined;

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === 'tap' && bundled !== undefined) return { url: bundled, shortCircuit: true };
    // It reads each module once more, for a list that `tap repl` uses, and starts every Node.js below a test with itself.
    if (specifier.endsWith('/processinfo/dist/esm/import.mjs'))
      return { url: 'data:text/javascript,', shortCircuit: true };
    return next(specifier, context);
  },
});

process.on('exit', () => {
  if (isatty(2)) return;
  const seconds = (performance.now() / 1000).toFixed(1);
  writeSync(2, `# ${seconds.padStart(6)} s  ${relative(ROOT, process.argv[1] ?? '')}\n`);
});

/**
 * Preloaded into each test file (`.taprc`): tap reads no source maps and notes no loaded modules, and where stderr is no
 * terminal a line on it says that the file has ended.
 */
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { relative, resolve } from 'node:path';
import { isatty } from 'node:tty';

// Erased types leave every line and column in place; reading the source maps of tap itself takes half of its start.
process.setSourceMapsEnabled(false);

// Programs that a test starts are no test files.
delete process.env['NODE_OPTIONS'];
// It reads each module once more, for a list that `tap repl` uses, and starts every Node.js below a test with itself.
const hooks = registerHooks({
  resolve: (specifier, context, next) => {
    if (!specifier.endsWith('/processinfo/dist/esm/import.mjs')) return next(specifier, context);
    hooks.deregister();
    return { url: 'data:text/javascript,', shortCircuit: true };
  },
});

const root = resolve(import.meta.dirname, '../..');

process.on('exit', () => {
  if (isatty(2)) return;
  const seconds = (performance.now() / 1000).toFixed(1);
  writeSync(2, `# ${seconds.padStart(6)} s  ${relative(root, process.argv[1] ?? '')}\n`);
});

/** Preloaded into each test file (`.taprc`): tap reads no source maps, and where stderr is no terminal a line on it says that the file has ended. */
import { writeSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { isatty } from 'node:tty';

// Erased types leave every line and column in place; reading the source maps of tap itself takes half of its start.
process.setSourceMapsEnabled(false);

const root = resolve(import.meta.dirname, '../..');

process.on('exit', () => {
  if (isatty(2)) return;
  const seconds = (performance.now() / 1000).toFixed(1);
  writeSync(2, `# ${seconds.padStart(6)} s  ${relative(root, process.argv[1] ?? '')}\n`);
});

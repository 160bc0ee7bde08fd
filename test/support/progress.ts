/** Preloaded into each test file by `npm test` where the output is no terminal: one line on stderr when the file has ended. */
import { writeSync } from 'node:fs';
import { relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

process.on('exit', () => {
  const seconds = (performance.now() / 1000).toFixed(1);
  writeSync(2, `# ${seconds.padStart(6)} s  ${relative(root, process.argv[1] ?? '')}\n`);
});

/** `npm run test:everything`: all suites of this checkout in one run, and one table of what became of them. */
import { mkdtempSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runAll, tableOf } from './run.ts';
import { runBy, SUITES, type Suite } from './suites.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const NAMES = [...new Set(SUITES.map(({ name }) => name))];
const HELP = `Usage: npm run test:everything -- [options]

Runs all suites one after another, whatever becomes of each, and prints a table at the end. On two cores that takes an
hour. Exit 0 if none failed, 1 if one did, 2 if what was typed is wrong, 128 and its number after a signal.

  --only NAME,NAME  these suites alone, in the order below
  --real PROGRAM    runs the suite real by this program, which sets its variables: PROGRAM npm run test:cluster
  --help            this text

Suites:
${NAMES.map((name) => `  ${name.padEnd(10)} ${SUITES.find((suite) => suite.name === name)?.what}`).join('\n')}
`;

function readArguments(): { readonly help: boolean; readonly suites: readonly Suite[] } {
  const { only, real, help } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      real: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;
  const chosen = only?.flatMap((names) => names.split(','));
  const unknown = chosen?.filter((name) => !NAMES.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only takes ${NAMES.join(', ')}, not ${unknown.join(', ')}`);
  const suites = SUITES.filter(({ name }) => chosen?.includes(name) ?? true);
  return { help, suites: real === undefined ? suites : suites.map((suite) => runBy(real, suite)) };
}

async function run(suites: readonly Suite[]): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The first one counts: Ctrl-C reaches npm and this process, and npm hands it on.
      if (!interrupted.signal.aborted) process.exitCode = 128 + constants.signals[signal];
      interrupted.abort();
    });
  }
  // Nobody reads this any more.
  process.stdout.on('error', () => {
    process.exitCode = 128 + constants.signals.SIGPIPE;
    interrupted.abort();
  });
  const write = (text: string): unknown => process.stdout.write(text);
  const directory = mkdtempSync(join(tmpdir(), 'everything-'));
  write(`Logs are in ${directory}\n`);
  const results = await runAll(suites, {
    directory,
    environment: process.env,
    write,
    isTerminal: process.stdout.isTTY,
    signal: interrupted.signal,
  });
  write(`\n${tableOf(results)}\nLogs are in ${directory}\n`);
  const isRight = results.some(({ result }) => result === 'ok') && results.every(({ result }) => result !== 'FAILED');
  process.exitCode ??= isRight ? 0 : EXIT_FAILED;
}

try {
  const { help, suites } = readArguments();
  if (help) process.stdout.write(HELP);
  else await run(suites);
} catch (error) {
  process.stderr.write(`npm run test:everything: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = EXIT_USAGE;
}

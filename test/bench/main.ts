/**
 * `npm run bench`: what the plugin costs, beside others and beside the least that is possible, measured in the same run on
 * the same server. `-- --quick` for a short run, `-- --json FILE` for the numbers, `-- --only ab` for single items (`hostile`
 * is the last one), `-- --markdown docs/numbers.md` to replace the table of the last run there.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { untilAborted } from '../../src/system/async.ts';
import { type Contestants, makeContestants } from './contestant.ts';
import type { Item } from './item.ts';
import { fair } from './items/fair.ts';
import { hold } from './items/hold.ts';
import { hostile } from './items/hostile.ts';
import { idle } from './items/idle.ts';
import { logs } from './items/logs.ts';
import { start } from './items/start.ts';
import { status } from './items/status.ts';
import { submit } from './items/submit.ts';
import { templates } from './items/templates.ts';
import { watch } from './items/watch.ts';
import { machineFacts } from './machine.ts';
import { chart, isReached, markdown, type Row, table, withLastRun } from './report.ts';
import { type Server, startServer } from './world.ts';

const ITEMS: Readonly<Record<string, Item>> = {
  a: watch,
  b: hold,
  c: start,
  d: submit,
  e: status,
  f: logs,
  g: idle,
  h: hostile,
  i: templates,
  j: fair,
};
const RUNS = 3;
/** Measured beside the others, because it only waits. */
const RESTING = 'g';
/** An item that receives nothing ends then. */
const ITEM_MS = 300_000;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string', default: Object.keys(ITEMS).join('') },
    runs: { type: 'string' },
    markdown: { type: 'string' },
  },
});
const { quick } = values;
const only = values.only === 'hostile' ? 'h' : values.only;
const runs = Number(values.runs ?? (quick ? 1 : RUNS));
const begun = performance.now();
const elapsed = (): string => `${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s`;
const machine = machineFacts();
const facts =
  `${machine.cores} x ${machine.cpu}, ${machine.memoryGB} GB, Linux ${machine.kernel}, Node.js ${machine.node}, ` +
  `@kubernetes/client-node ${machine.clientNode}, load ${machine.load}; medians of ${runs}`;
console.log(`${facts}\n`);

const directory = mkdtempSync(join(tmpdir(), 'bench-'));
/** The most that the server was ever busy with each kind of work. */
const busy = new Map<string, number>();
const rows: Row[] = [];
let isLate = false;

/** The rows of an item; none if it failed, because the others are worth knowing all the same. */
async function measured(letter: string, server: Server, contestants: Contestants): Promise<readonly Row[]> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ITEM_MS);
  try {
    const found = ITEMS[letter]?.({
      server,
      contestants,
      quick,
      runs,
      progress: (text) => console.error(`${elapsed()}  ${letter}. ${text}`),
      busy: (what, part) => busy.set(what, Math.max(part, busy.get(what) ?? 0)),
    });
    const over = untilAborted(late.signal).then(() => {
      throw new Error(`item ${letter} has not ended after ${ITEM_MS / 1000} s`);
    });
    return (await Promise.race([found, over])) ?? [];
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
    isLate ||= late.signal.aborted;
    return [];
  } finally {
    clearTimeout(timer);
  }
}

const [server, idleServer] = await Promise.all([startServer(), startServer()]);
try {
  const contestants = await makeContestants(directory);
  const letters = Object.keys(ITEMS).filter((letter) => only.includes(letter));
  const resting = letters.includes(RESTING) ? measured(RESTING, idleServer, contestants) : undefined;
  for (const letter of letters) {
    rows.push(...((await (letter === RESTING ? resting : measured(letter, server, contestants))) ?? []));
    // What an item without an end has started cannot be measured beside others.
    if (isLate) break;
  }
} finally {
  server.close();
  idleServer.close();
  rmSync(directory, { recursive: true });
}

for (const row of rows.filter(({ bars }) => bars.length > 1)) console.log(`${chart(row)}\n`);
console.log(`${table(rows)}\n`);
console.log('Spare capacity of the server (parts of one core that it did not need):');
for (const [what, part] of busy) console.log(`   ${what}: ${((1 - part) * 100).toFixed(0)} %`);
const goals = rows.filter(({ reach }) => reach !== 'known');
console.log(`\n${goals.filter(isReached).length} of ${goals.length} reached, in ${elapsed().trim()}`);
if (values.json !== undefined) {
  const report = { machine, quick, runs, rows, server: Object.fromEntries(busy) };
  writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
}
// Not if an item failed: the table would lack rows.
if (values.markdown !== undefined && process.exitCode === undefined) {
  const day = new Date().toISOString().slice(0, 10);
  const text = withLastRun(readFileSync(values.markdown, 'utf8'), `${day}: ${facts}.\n\n${markdown(rows)}`);
  writeFileSync(values.markdown, text);
}
// What such an item has started keeps this process running.
if (isLate) process.exit();

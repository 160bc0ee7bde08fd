/**
 * The simulated cluster answers as the recorded one did: every exchange of every scenario is sent again, unless
 * table.json says why not; the totals are printed.
 */
import t from 'tap';
import { documentedRules } from '../api/access.ts';
import { PRIORITY_CLASSES } from '../api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster.ts';
import { type Caller, createCaller } from '../testing.ts';
import { DONE_TO_THE_CLUSTER } from './byhand.ts';
import type { Outcome } from './exchange.ts';
import { type History, recordHistory } from './history.ts';
import { recordedImages } from './images.ts';
import { type Exchange, exchangesOf, scenarioNames } from './recordings.ts';
import { replay } from './replay.ts';
import { numbersOf, readTable } from './table.ts';

/** The recorder had prepared it: the launcher's account was bound there, too. */
const QUOTA_NAMESPACE = 'rs-quota';

/** How many times faster than the recorded cluster the simulated one is, at the first two attempts. */
const FAST = 10;
/** At the last attempt: what comes late on a busy machine comes late by less. */
const SLOW = 3;

/** Scenarios that change nodes or rights, fill a node, or list what is of others, too. */
const ALONE = ['06-config-errors', '13-eviction', '20-discovery', '22-nodes', '23-preemption', ...DONE_TO_THE_CLUSTER];

async function withCluster<T>(
  scale: number,
  work: (cluster: SimulatedCluster, caller: Caller, history: History) => Promise<T>,
): Promise<T> {
  const cluster = await startCluster({
    speed: scale,
    timeScale: scale,
    cpuPerNode: '2',
    memoryPerNode: '24581696Ki',
    namespaces: [QUOTA_NAMESPACE],
    images: recordedImages,
  });
  cluster.access.setRules([
    ...cluster.access.rules(),
    ...documentedRules(QUOTA_NAMESPACE).map((rule) => ({ ...rule, subject: 'system:serviceaccounts:rstudio' })),
  ]);
  cluster.store.create(PRIORITY_CLASSES, { metadata: { name: 's23-high' }, value: 1000 });
  const caller = createCaller(cluster);
  const history = recordHistory(cluster);
  try {
    return await work(cluster, caller, history);
  } finally {
    history.close();
    await caller.close();
    await cluster.close();
  }
}

const table = readTable();
const scenarios = scenarioNames().map((name) => ({
  name,
  exchanges: exchangesOf(name),
  row: table[name] ?? { notMakeable: {}, differs: {} },
}));

/** Not sent at all: what cannot be made, and questions whose answers differ. Changes are sent even if theirs differ. */
function skipped({ row, exchanges }: (typeof scenarios)[number]): Set<number> {
  const differing = new Set(numbersOf(row.differs));
  const questions = exchanges.filter(({ n, method, status }) => differing.has(n) && method === 'GET' && status !== 101);
  return new Set([...numbersOf(row.notMakeable), ...questions.map(({ n }) => n)]);
}

// Nearly all of it is waiting: the recordings say how long, and the machine how many second attempts.
t.setTimeout(900_000);

t.test('every scenario is in the table, and its numbers add up', (t) => {
  t.strictSame(
    Object.keys(table).sort(),
    scenarios.map(({ name }) => name),
  );
  const sums = { exchanges: 0, compared: 0, notMakeable: 0, differs: 0 };
  for (const { name, exchanges, row } of scenarios) {
    const known = new Set(exchanges.map(({ n }) => n));
    const listed = [...numbersOf(row.notMakeable), ...numbersOf(row.differs)];
    t.strictSame(
      listed.filter((n) => !known.has(n)),
      [],
      `${name}: only exchanges that exist`,
    );
    t.equal(new Set(listed).size, listed.length, `${name}: none is listed twice`);
    const counts = {
      exchanges: exchanges.length,
      compared: exchanges.length - listed.length,
      notMakeable: numbersOf(row.notMakeable).length,
      differs: numbersOf(row.differs).length,
    };
    t.comment(
      `${name.padEnd(26)} ${counts.exchanges} exchanges: ${counts.compared} compared, ${counts.notMakeable} not makeable, ${counts.differs} differ`,
    );
    for (const key of ['exchanges', 'compared', 'notMakeable', 'differs'] as const) sums[key] += counts[key];
  }
  t.comment(
    `agreement: ${sums.exchanges} exchanges = ${sums.compared} compared + ${sums.notMakeable} not makeable + ${sums.differs} differ`,
  );
  t.equal(sums.compared + sums.notMakeable + sums.differs, sums.exchanges);
  t.equal(sums.exchanges, 1216, 'all that was recorded');
  t.end();
});

async function disagreements(
  cluster: SimulatedCluster,
  caller: Caller,
  history: History,
  scenario: (typeof scenarios)[number],
  scale: number,
): Promise<Outcome[]> {
  const differing = new Set(numbersOf(scenario.row.differs));
  const selection = { skip: skipped(scenario), differing, scale };
  const outcomes = await replay(cluster, caller, history, scenario.name, scenario.exchanges, selection);
  return outcomes.filter(({ n, same }) => !same && !differing.has(n));
}

function tell(exchanges: readonly Exchange[], { n, expected, actual }: Outcome): string {
  const { method, path } = exchanges.find((one) => one.n === n) ?? { method: '', path: '' };
  return `exchange ${n}, ${method} ${path}\nrecorded:\n${expected}\nhere:\n${actual}`;
}

/** More at a time would keep each other waiting. */
const AT_A_TIME = 8;

/** Replays scenarios in one cluster, some side by side; tells of each as soon as it is over. */
function replayAll(
  of: typeof scenarios,
  scale: number,
  tell: (scenario: (typeof scenarios)[number], bad: Outcome[]) => void,
) {
  return withCluster(scale, async (cluster, caller, history) => {
    const queue = [...of];
    async function work(): Promise<void> {
      for (let scenario = queue.shift(); scenario !== undefined; scenario = queue.shift()) {
        tell(scenario, await disagreements(cluster, caller, history, scenario, scale));
      }
    }
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, of.length) }, work));
  });
}

const lengthOf = ({ exchanges }: (typeof scenarios)[number]): number => Math.max(...exchanges.map(({ t }) => t ?? 0));

/** So many clusters for second attempts, beside what still goes on. */
const LANES = 3;

t.test('all other exchanges agree', async (t) => {
  // The longest first: no worker is left with one at the end.
  const all = [...scenarios].sort((a, b) => lengthOf(b) - lengthOf(a));
  const outcomes = new Map<string, Outcome[]>();
  // Under load an answer may come a moment late: what did not agree is tried again at once, and in the end by itself and slowly.
  const lanes: Promise<void>[] = Array.from({ length: LANES }, () => Promise.resolve());
  const again: string[] = [];
  const note = ({ name }: (typeof scenarios)[number], bad: Outcome[]): void => void outcomes.set(name, bad);
  const first = (scenario: (typeof scenarios)[number], bad: Outcome[]): void => {
    note(scenario, bad);
    if (bad.length === 0) return;
    const lane = again.push(scenario.name) % LANES;
    lanes[lane] = (lanes[lane] ?? Promise.resolve()).then(() => replayAll([scenario], FAST, note));
  };
  const alone = all.filter(({ name }) => ALONE.includes(name));
  const together = all.filter((scenario) => !alone.includes(scenario));
  await Promise.all([together, ...alone.map((one) => [one])].map((some) => replayAll(some, FAST, first)));
  await Promise.all(lanes);
  const last = all.filter(({ name }) => outcomes.get(name)?.length !== 0);
  for (const one of last) await replayAll([one], SLOW, note);
  t.comment(
    `tried again at once: ${again.join(' ') || 'none'}; by themselves: ${last.map(({ name }) => name).join(' ') || 'none'}`,
  );
  for (const { name, exchanges } of scenarios) {
    t.strictSame(
      (outcomes.get(name) ?? []).map((one) => tell(exchanges, one)),
      [],
      name,
    );
  }
});

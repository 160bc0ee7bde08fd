/**
 * The simulated cluster answers as the recorded one did: every exchange of every scenario is sent again, unless
 * table.json says why not; the totals are printed.
 */
import t from 'tap';
import { documentedRules } from '../api/access.ts';
import { PRIORITY_CLASSES } from '../api/resources.ts';
import { startCluster } from '../cluster.ts';
import { createCaller } from '../testing.ts';
import { type DrivenClock, drivenClock } from './drive.ts';
import type { Outcome } from './exchange.ts';
import { recordHistory } from './history.ts';
import { recordedImages } from './images.ts';
import { type Exchange, exchangesOf, scenarioNames, startOf } from './recordings.ts';
import { replay } from './replay.ts';
import { numbersOf, readTable } from './table.ts';

/** The recorder had prepared it: the launcher's account was bound there, too. */
const QUOTA_NAMESPACE = 'rs-quota';

type Parts = Parameters<typeof replay>[0];

async function withCluster<T>(clock: DrivenClock, start: number, work: (parts: Parts) => Promise<T>): Promise<T> {
  const cluster = await startCluster({
    clock: clock.showing(start),
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
    return await work({ cluster, clock, caller, history });
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

function tell(exchanges: readonly Exchange[], { n, expected, actual }: Outcome): string {
  const { method, path } = exchanges.find((one) => one.n === n) ?? { method: '', path: '' };
  return `exchange ${n}, ${method} ${path}\nrecorded:\n${expected}\nhere:\n${actual}`;
}

/** Replays a scenario in a cluster of its own; returns what does not agree. */
async function disagreements(clock: DrivenClock, scenario: (typeof scenarios)[number]): Promise<string[]> {
  const { name, exchanges, row } = scenario;
  const differing = new Set(numbersOf(row.differs));
  const selection = { skip: skipped(scenario), differing };
  const outcomes = await withCluster(clock, startOf(name), (parts) => replay(parts, name, exchanges, selection));
  return outcomes.filter(({ n, same }) => !same && !differing.has(n)).map((one) => tell(exchanges, one));
}

t.test('all other exchanges agree', async (t) => {
  const clock = drivenClock();
  t.teardown(clock.close);
  const found = await clock.drive(Promise.all(scenarios.map((scenario) => disagreements(clock, scenario))));
  for (const [index, { name }] of scenarios.entries()) t.strictSame(found[index], [], name);
});

/** a. Changes of pods through a watch. */
import type { ContestantName, Measured } from '../contestant.ts';
import { type Bench, expect, type Item, ownRow } from '../item.ts';
import { median } from '../statistics.ts';

const EVENTS = 100_000;
const DIFFERENT = 2_000;
/** Events of the measurement of pauses, and how many in a second. */
const PACED_EVENTS = 2_000;
const PER_SECOND = 1_000;
const MAX_PAUSE_MS = 10;

interface Contest {
  readonly label: string;
  readonly name: ContestantName;
  readonly jsonOnly?: boolean;
  /** Needs no server. */
  readonly alone?: boolean;
}

/** The first two are compared. The third is the same program with the JSON encoding. */
const CONTESTS: readonly Contest[] = [
  { label: 'ours', name: 'reflector' },
  { label: 'client-node informer', name: 'informer' },
  { label: 'ours, JSON', name: 'reflector', jsonOnly: true },
  { label: 'client-node Watch', name: 'watch' },
  { label: 'JSON.parse alone', name: 'parse', alone: true },
  { label: 'undici, lines unparsed', name: 'lines' },
];

async function run(bench: Bench, contest: Contest, events: number): Promise<Measured> {
  const { server, contestants } = bench;
  await server.have({ jobs: DIFFERENT, jsonOnly: contest.jsonOnly ?? false });
  const begin = contest.alone ? undefined : () => server.change(events, DIFFERENT);
  const { result, busy } = await server.busyWhile(() =>
    contestants.run(contest.name, { url: server.url, objects: DIFFERENT, count: events }, begin),
  );
  expect(result.findings['seen'] === events, `${contest.label} saw ${result.findings['seen']} of ${events} events`);
  if (contest.alone !== true) bench.busy(`watch, ${contest.label}`, busy);
  return result;
}

/** Milliseconds of the longest pause for garbage while events arrive at this pace. */
async function longestPause({ server, contestants, progress }: Bench): Promise<number> {
  const count = PACED_EVENTS;
  progress(`watch, ${PER_SECOND} events a second`);
  await server.have({ jobs: DIFFERENT });
  const { findings } = await contestants.run('reflector', { url: server.url, objects: DIFFERENT, count }, () =>
    server.change(count, DIFFERENT, PER_SECOND),
  );
  expect(Number(findings['pause']) > 0, 'no garbage was collected');
  return Number(findings['pause']);
}

export const watch: Item = async (bench) => {
  const events = bench.quick ? EVENTS / 10 : EVENTS;
  const found = new Map<string, Measured[]>(CONTESTS.map(({ label }) => [label, []]));
  for (let round = 1; round <= bench.runs; round++) {
    // The others show where the time goes: once is enough.
    for (const contest of round === 1 ? CONTESTS : CONTESTS.slice(0, 2)) {
      bench.progress(`watch, ${events} events, ${contest.label}, run ${round}`);
      found.get(contest.label)?.push(await run(bench, contest, events));
    }
  }
  const pauses: number[] = [];
  for (let round = 1; round <= bench.runs; round++) pauses.push(await longestPause(bench));
  const digests = ['ours', 'ours, JSON'].map((label) => found.get(label)?.[0]?.findings['digest']);
  expect(digests[0] === digests[1], 'protobuf and JSON lead to other projections');

  const bars = (value: (measured: Measured) => number) =>
    CONTESTS.map(({ label }) => ({ name: label, value: median((found.get(label) ?? []).map(value)) }));
  const cpu = bars((measured) => (measured.cpu / events) * 1e6);
  const peak = bars((measured) => measured.peak);
  const [ours = Number.NaN, informer = Number.NaN] = cpu.map(({ value }) => value);
  const [oursPeak = Number.NaN, informerPeak = Number.NaN] = peak.map(({ value }) => value);
  return [
    {
      item: 'a',
      what: `CPU for an event of a watch (${events} pods of 6 KB)`,
      bars: cpu,
      unit: 'us',
      result: ours / informer,
      reach: { most: 0.15 },
      ratio: true,
    },
    {
      item: 'a',
      what: 'peak memory meanwhile',
      bars: peak,
      unit: 'MB',
      result: oursPeak / informerPeak,
      reach: { most: 0.3 },
      ratio: true,
    },
    ownRow('a', `longest pause for garbage at ${PER_SECOND} events a second`, median(pauses), 'ms', {
      most: MAX_PAUSE_MS,
    }),
  ];
};

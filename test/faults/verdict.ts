/** The oracle for a storm: which jobs are there afterwards, which users own them, and the executable's process. */
import { JOBS } from '../cluster/api/resources.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import type { Pod } from '../cluster/model.ts';
import type { JobFrame } from '../support/launcher.ts';
import type { Ending } from './instance.ts';
import { judgeOutput, judgeState } from './judge.ts';
import type { Ledger } from './ledger.ts';
import { median } from './process.ts';
import type { JobRecord } from './record.ts';
import { judgeConnections, judgeEnding, judgeGaps, judgeInput, judgeMade, remarksOf } from './remains.ts';
import { MOST_REPLAYS } from './storm.ts';
import { judgeTaken, type TakenName } from './taken.ts';
import { createTally, STORM_COUNTS, type Verdict, type Wrong } from './tally.ts';

/** Everything that the verdict is made of. */
interface Evidence {
  readonly cluster: SimulatedCluster;
  readonly records: readonly JobRecord[];
  readonly ledger: Ledger;
  /** All jobs as they were listed after the storm, by when. */
  readonly listings: Readonly<Record<string, readonly JobFrame[]>>;
  /** Pods that were there after the storm, by the name of their job: the node still has their logs. */
  readonly podsLeft: ReadonlyMap<string, Pod>;
  readonly taken: readonly TakenName[];
  readonly connections: number;
  /** How many may be open at that time. */
  readonly mostConnections: number;
  /** Resident megabytes, twice a second. */
  readonly memory: readonly number[];
  readonly ending: Ending;
  /** How often a watch was opened, at most, while it only replayed old events. */
  readonly replays: number;
}

/** What the second half of a run may need more than its first, beside a quarter of it. */
const MEMORY_SLACK_MB = 16;

export function judge(evidence: Evidence): Verdict {
  const { cluster, records, ledger, podsLeft, connections, mostConnections, ending } = evidence;
  const { wrong, verdict } = createTally(STORM_COUNTS);
  for (const record of records) {
    judgeState(cluster, [ledger], record, wrong);
    judgeOutput(cluster, record, podsLeft.get(record.id ?? ''), wrong);
  }
  judgeExistence(evidence, wrong);
  judgeMade(cluster, records, wrong);
  judgeInput(cluster, records, wrong);
  judgeTaken(cluster, evidence.taken, wrong);
  judgeConnections(connections, mostConnections, wrong);
  judgeEnding(ending, wrong);
  judgeGaps(ledger, wrong);
  if (evidence.replays > MOST_REPLAYS)
    wrong('watches repeated', `${evidence.replays} watches in two seconds of replayed events, at most ${MOST_REPLAYS}`);
  const { early, late } = memoryOf(evidence.memory);
  if (late > early * 1.25 + MEMORY_SLACK_MB) {
    wrong('memory growing', `from ${early.toFixed(0)} to ${late.toFixed(0)} MB`);
  }
  return verdict([
    ...remarksOf(records),
    `${connections} connections`,
    `${early.toFixed(0)} MB early, ${late.toFixed(0)} MB late`,
    `${evidence.replays} watches while old events were replayed`,
    `ended in ${(ending.ms / 1000).toFixed(1)} s`,
  ]);
}

/** Every job there is was accepted; every job that was accepted is there, unless it was deleted. */
function judgeExistence({ cluster, records, listings, taken }: Evidence, wrong: Wrong): void {
  const foreign = new Set(taken.map(({ foreign }) => foreign.metadata?.uid));
  const existing = cluster.store.list(JOBS).filter(({ metadata }) => !foreign.has(metadata.uid));
  const accepted = new Set(records.map(({ id }) => id));
  for (const { metadata } of existing) {
    if (!accepted.has(metadata.name))
      wrong('ghost jobs', `${metadata.name} exists, and no submit was answered with it`);
  }
  const deleted = new Set(cluster.journal.deleted.filter(({ kind }) => kind === 'Job').map(({ name }) => name));
  for (const { id, assignment } of records) {
    if (id === undefined || assignment.action === 'delete-job') continue;
    if (deleted.has(id)) wrong('jobs missing', `${id} was deleted`);
  }
  const names = new Set(existing.map(({ metadata }) => metadata.name));
  for (const [when, jobs] of Object.entries(listings)) {
    const ids = jobs.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) wrong('duplicate jobs', `a job is listed twice ${when}`);
    for (const id of new Set(ids))
      if (!names.has(id)) wrong('ghost jobs', `${id} is listed ${when} and does not exist`);
    for (const name of names) if (!ids.includes(name)) wrong('jobs missing', `${name} is not listed ${when}`);
  }
}

/** Medians of the second and of the last fifth of a run. */
function memoryOf(memory: readonly number[]): { early: number; late: number } {
  const fifth = Math.floor(memory.length / 5);
  return { early: median(memory.slice(fifth, 2 * fifth)), late: median(memory.slice(4 * fifth)) };
}

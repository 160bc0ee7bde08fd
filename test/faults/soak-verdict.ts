/** The oracle for a soak: both instances reported every final state, everything expired when it was time, and nothing has grown. */
import { JOBS, PODS, type Resource, SECRETS, SERVICES } from '../cluster/api/resources.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import type { JobFrame } from '../support/launcher.ts';
import { judgeFlat } from './flat.ts';
import { type Ending, type Instance, NEEDED_CONNECTIONS } from './instance.ts';
import { judgeState, processesOf } from './judge.ts';
import { isOfOtherUser } from './other-users.ts';
import type { Sample } from './process.ts';
import type { JobRecord } from './record.ts';
import { judgeConnections, judgeEnding, judgeGaps, judgeInput, judgeMade, remarksOf } from './remains.ts';
import { CLOCK_STEP_MS } from './storm.ts';
import type { Wrong } from './tally.ts';

/** What is known of an instance in the end. */
interface InstanceEvidence {
  readonly instance: Instance;
  readonly isRestarted: boolean;
  /** While the load was on. */
  readonly samples: readonly Sample[];
  /** When everything had expired. */
  readonly connections: number;
  readonly listed: readonly JobFrame[];
}

interface SoakEvidence {
  readonly cluster: SimulatedCluster;
  readonly records: readonly JobRecord[];
  readonly instances: readonly InstanceEvidence[];
  /** Of all processes that were asked to end. */
  readonly endings: readonly Ending[];
  /** From the end of a job until it may be deleted. */
  readonly expiryMs: number;
}

/** Objects of a failed submit have to be deleted after this time. */
export const UNDONE_MS = 75_000;
/** Ends are saved in full seconds of a node's clock, which may have stepped back; the time of the server is known to a second. */
const EARLY_MS = CLOCK_STEP_MS + 2_500;

/** Returns what is worth knowing and not wrong. Outputs were judged when each job was over. */
export function judgeSoak(evidence: SoakEvidence, wrong: Wrong): readonly string[] {
  const { cluster, records, instances, endings } = evidence;
  const ledgers = instances.map(({ instance }) => instance.ledger);
  for (const record of records) judgeState(cluster, ledgers, record, wrong);
  judgeMade(cluster, records, wrong);
  judgeInput(cluster, records, wrong);
  judgeExpiry(evidence, wrong);
  judgeGhosts(cluster, records, wrong);
  for (const ledger of ledgers) judgeGaps(ledger, wrong);
  for (const ending of endings) judgeEnding(ending, wrong);
  for (const { instance, connections, listed } of instances) {
    judgeConnections(connections, NEEDED_CONNECTIONS, wrong);
    for (const { id } of listed) wrong('ghost jobs', `${id} is listed at the ${instance.name} and should have expired`);
  }
  return [
    ...remarksOf(records),
    ...instances.map(({ instance: { name }, isRestarted, samples }) =>
      judgeFlat({ name, isRestarted }, samples, wrong),
    ),
  ];
}

/** Whatever there still is of jobs. */
export function leftOvers({ store, namespace }: SimulatedCluster): readonly string[] {
  const all = [JOBS, PODS, SERVICES, SECRETS].flatMap((kind: Resource) => store.list(kind, namespace));
  return all
    .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by'] === 'launcher')
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}

/** Nothing is left in the end, and no job was deleted before its time. */
function judgeExpiry({ cluster, records, expiryMs }: SoakEvidence, wrong: Wrong): void {
  for (const name of leftOvers(cluster)) wrong('jobs not expired', `${name} is left`);
  const deleted = deletions(cluster);
  for (const { id, assignment, actedAt = Number.POSITIVE_INFINITY } of records) {
    if (id === undefined || assignment.action === 'delete-job') continue;
    // With a pod that is being deleted, a job ends with the Job's decision, before the process does.
    const endedAt = Math.min(processesOf(cluster, id)[0]?.endedAt ?? Number.NaN, actedAt);
    const deletedAt = deleted.get(id);
    if (Number.isNaN(endedAt) || deletedAt === undefined || deletedAt >= endedAt + expiryMs - EARLY_MS) continue;
    wrong('jobs missing', `${id} was deleted ${((deletedAt - endedAt) / 1000).toFixed(1)} s after its end`);
  }
}

/** A Job that no submit was answered with may be there for a while: the answer was lost, and it is deleted again. */
function judgeGhosts(cluster: SimulatedCluster, records: readonly JobRecord[], wrong: Wrong): void {
  const accepted = new Set(records.map(({ id }) => id));
  const deleted = deletions(cluster);
  for (const { kind, name, at } of cluster.journal.created) {
    if (kind !== 'Job' || accepted.has(name) || isOfOtherUser(name)) continue;
    const deletedAt = deleted.get(name) ?? Number.POSITIVE_INFINITY;
    if (deletedAt - at > UNDONE_MS) wrong('ghost jobs', `${name} was there, and no submit was answered with it`);
  }
}

/** When each Job went. */
function deletions({ journal }: SimulatedCluster): ReadonlyMap<string, number> {
  return new Map(journal.deleted.filter(({ kind }) => kind === 'Job').map(({ name, at }) => [name, at]));
}

/** One job from its submit to its end: what the launcher's side does to it, what the cluster suffers, what is read. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../src/system/errors.ts';
import { deleteObject } from '../cluster/api/deletion.ts';
import { JOBS, PODS } from '../cluster/api/resources.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import type { Pod } from '../cluster/model.ts';
import { type Launcher, LauncherError, type StatusFrame } from '../support/launcher.ts';
import { ADDRESS, createAdopted, endUnseen, giveAddress, suspendAndResume } from './foreign.ts';
import type { Instance } from './instance.ts';
import { isEnd } from './ledger.ts';
import type { JobRecord, Reading } from './record.ts';
import type { Action } from './workload.ts';

export const USER = 'fault';
/** A simulated cluster on a busy machine needs more than the 5 s of a call for an answer now and then. */
const SUBMITS = 30;

export interface Driving {
  readonly cluster: SimulatedCluster;
  readonly instances: readonly Instance[];
  readonly random: () => number;
  /** Chooses an instance for a submit; default: all alike. */
  readonly submitter?: () => Instance;
  /** When another client may delete a job. */
  readonly deletion: (action: () => Promise<void> | void) => void;
  /** No more time. */
  readonly over: AbortSignal;
  /** Its output is being read; that may take longer than the job. */
  readonly reads: (reading: Promise<void>) => void;
}

/** Until all instances reported the final state. Never rejects: what is missing is in the record. */
export async function drive(record: JobRecord, options: Driving): Promise<void> {
  const { instances, over, random } = options;
  const { assignment } = record;
  const submitter = options.submitter?.() ?? oneOf(instances, random);
  if (assignment.adopted !== undefined)
    record.id = await createAdopted(options.cluster, assignment, assignment.adopted, USER);
  while (record.id === undefined && record.refusals.length < SUBMITS && !over.aborted) {
    try {
      const job = { name: assignment.name, user: USER, container: { image: 'busybox' }, ...assignment.job };
      record.id = (await submitter.uncut((launcher) => launcher.submit(USER, job))).id;
      record.submittedBy = submitter.name;
    } catch (error) {
      record.refusals.push(errorMessage(error));
      await sleep(500);
    }
  }
  const { id } = record;
  if (id === undefined) return;
  for (const instance of instances)
    options.reads(readFrom(instance, instance === submitter && assignment.adopted === undefined, record, id, over));
  const actor = oneOf(instances, random);
  if (assignment.action !== undefined) {
    const wanted = assignment.action === 'cancel' ? 'Pending' : 'Running';
    const frame = await actor.ledger.until(id, (each) => each.status === wanted || isEnd(each), over);
    if (frame?.status === wanted) {
      record.actedAt = Date.now();
      await act(assignment.action, id, actor, options, record);
    }
  }
  if (assignment.kind === 'with input') await rescue(record, id, actor, options);
  await told(id, options);
}

/** Draws nothing where there is nothing to choose, so that a seed stays what it is. */
const oneOf = (instances: readonly Instance[], random: () => number): Instance => {
  const chosen = instances.length === 1 ? instances[0] : instances[Math.floor(random() * instances.length)];
  if (chosen === undefined) throw new Error('BUG: a run without an executable');
  return chosen;
};

async function told(id: string, { instances, over }: Driving): Promise<void> {
  await Promise.all(instances.map(({ ledger }) => ledger.until(id, isEnd, over)));
}

async function act(action: Action, id: string, actor: Instance, options: Driving, record: JobRecord): Promise<void> {
  const { cluster, over } = options;
  switch (action) {
    case 'evict': {
      const name = podOf(cluster, id)?.metadata.name;
      if (name !== undefined) cluster.evictPod(name);
      return;
    }
    case 'delete-pod': {
      const found = podOf(cluster, id);
      if (found !== undefined) deleteObject(cluster.store, PODS, found, { gracePeriodSeconds: 1 });
      return;
    }
    case 'delete-job':
      return deleteJob(id, options);
    case 'suspend':
      return suspendAndResume(cluster, id, () => pendingAgain(id, actor, over), over);
    case 'end-unseen':
      return options.deletion(() => endUnseen(cluster, id));
    case 'give-address': {
      const address = await lateAddress(id, actor, options);
      if (address !== PUBLISHED) record.problems.push(`${id} is reported at ${address}, not ${PUBLISHED}`);
      return controlled('kill', id, actor, over);
    }
    default:
      return controlled(action, id, actor, over);
  }
}

async function controlled(action: 'stop' | 'kill' | 'cancel', id: string, actor: Instance, over: AbortSignal) {
  while (!over.aborted && actor.ledger.end(id) === undefined) {
    const launcher = await actor.launcher();
    const { complete } = await launcher.control(USER, id, action).catch(() => ({ complete: false }));
    if (complete) return;
    await sleep(1_000);
  }
}

/** Pending after Running, and not as suspended. */
async function pendingAgain(id: string, { ledger }: Instance, over: AbortSignal): Promise<void> {
  const isPending = (): boolean => {
    const last = ledger.frames(id).at(-1);
    return last?.status === 'Pending' && last.statusCode === 'Pending';
  };
  while (!over.aborted && !isPending() && ledger.end(id) === undefined) await sleep(100);
}

/** The load balancer listens on the Service's port. */
const PUBLISHED = `${ADDRESS}:8787`;

/** Where a job can be reached, when the load balancer has given its Service an address, or at last. */
async function lateAddress(id: string, actor: Instance, { cluster, over }: Driving): Promise<string> {
  let address = '';
  while (!over.aborted && address !== PUBLISHED && actor.ledger.end(id) === undefined) {
    await sleep(500);
    giveAddress(cluster, id);
    const launcher = await actor.launcher();
    const network = await launcher.network(USER, id).catch(() => undefined);
    const job = await launcher.job(USER, id).catch(() => undefined);
    const [port] = (job?.['exposedPorts'] ?? []) as readonly { readonly publishedPort?: number }[];
    if (network !== undefined && job !== undefined) address = `${network.ipAddresses.join()}:${port?.publishedPort}`;
  }
  return address;
}

/** An executable that does not run while a job is deleted never sees that: none restarts until all have reported it. */
async function deleteJob(id: string, options: Driving): Promise<void> {
  const { cluster, instances, deletion, over } = options;
  const all = instances.map((instance) =>
    instance.uncut(async () => {
      await instance.ledger.until(id, () => true, over);
      known();
      await instance.ledger.until(id, isEnd, over);
    }),
  );
  let left = instances.length;
  function known(): void {
    left--;
    if (left > 0) return;
    deletion(() => {
      const found = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === id);
      if (found !== undefined) deleteObject(cluster.store, JOBS, found, { propagationPolicy: 'Background' });
    });
  }
  await Promise.all(all);
}

/**
 * Input is given at most once: a job that lost its input reports that and stays until a user ends it. Not every
 * instance says it: of a claim that was cut by a kill only the next run of the same one knows at once.
 */
async function rescue(record: JobRecord, id: string, actor: Instance, { instances, over }: Driving): Promise<void> {
  const { ledger } = actor;
  const tells = (frame: StatusFrame): boolean => isEnd(frame) || /input/.test(frame.statusMessage);
  const frame = await Promise.race(instances.map((instance) => instance.ledger.until(id, tells, over)));
  if (frame === undefined || isEnd(frame)) return;
  record.inputLost = true;
  while (!over.aborted && ledger.end(id) === undefined) {
    const launcher = await actor.launcher();
    await launcher.control(USER, id, 'kill').catch(() => undefined);
    await Promise.race([ledger.until(id, isEnd, over), sleep(2_000)]);
  }
}

/** The pod of a job. */
export function podOf(cluster: SimulatedCluster, id: string): Pod | undefined {
  return cluster.store.list(PODS).find(({ metadata }) => metadata.labels?.['job-name'] === id);
}

/** Reads the output to its end, from the beginning again when the executable was restarted. Never rejects. */
async function readFrom(
  { ledger, launcher }: Instance,
  isKnown: boolean,
  record: JobRecord,
  id: string,
  over: AbortSignal,
): Promise<void> {
  // Only who submitted it knows it at once.
  if (!isKnown) await ledger.until(id, () => true, over);
  while (!over.aborted) {
    const now = await launcher();
    const reading = await read(now, record);
    if (reading.end === 'complete' || reading.end instanceof LauncherError || (await launcher()) === now) return;
    reading.end = 'restarted';
  }
}

/** Many times what a job writes: output that comes again and again would fill the memory of this process. */
const MOST_TEXT = 500_000;

/** Reads the output from its beginning. Never rejects. */
export async function read(launcher: Launcher, record: JobRecord): Promise<Reading> {
  const reading: Reading = { text: '', end: undefined };
  record.readings.push(reading);
  const tooMuch = Promise.withResolvers<never>();
  const stream = launcher.output(USER, record.id ?? '', (text) => {
    if (reading.text.length < MOST_TEXT) {
      reading.text += text;
      return;
    }
    stream.cancel();
    tooMuch.reject(new Error(`more than ${MOST_TEXT} characters came`));
  });
  reading.end = await Promise.race([stream.completed, tooMuch.promise]).then(
    () => 'complete' as const,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  return reading;
}

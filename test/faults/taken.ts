/** A name that another client takes between a create with a lost answer and its retry. */
import { JOBS } from '../cluster/api/resources.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { FAULTS } from '../cluster/faults/rules.ts';
import type { Job } from '../cluster/model.ts';
import { type JobFrame, type Launcher, LauncherError } from '../support/launcher.ts';
import { USER } from './drive.ts';
import type { Wrong } from './tally.ts';

/** A submit with a Job that was replaced by another client's of the same name before the retry. */
export interface TakenName {
  readonly foreign: Job;
  readonly answer: JobFrame | LauncherError;
}

/**
 * The answer of a create is lost, and before the retry another client deletes the Job and creates its own by that
 * name. The 409 then is no success.
 */
export async function submitTaken(cluster: SimulatedCluster, launcher: Launcher, index: number): Promise<TakenName> {
  const name = `taken${index}`;
  const { promise: foreign, resolve } = Promise.withResolvers<Job>();
  const stop = cluster.store.listen(JOBS, ({ type, object }) => {
    if (type !== 'ADDED' || !object.metadata.name.startsWith(name)) return;
    stop();
    queueMicrotask(() => {
      // The store keeps Jobs only under this kind.
      const { spec, status, metadata } = object as Job;
      cluster.store.remove(JOBS, object);
      const { namespace = '', name } = metadata;
      resolve(cluster.store.create(JOBS, { metadata: { namespace, name }, spec: { ...spec, suspend: true }, status }));
    });
  });
  cluster.faults.add({ fault: FAULTS.lostAnswer, method: 'POST', path: /\/jobs(\?|$)/ });
  const job = { name, user: USER, container: { image: 'busybox' }, command: 'true' };
  const answer = await launcher.submit(USER, job).catch((error: unknown) => {
    if (error instanceof LauncherError) return error;
    throw error;
  });
  return { foreign: await foreign, answer };
}

/** The submit fails, and the object of the other client stays. */
export function judgeTaken(cluster: SimulatedCluster, taken: readonly TakenName[], wrong: Wrong): void {
  for (const { foreign, answer } of taken) {
    const name = foreign.metadata?.name ?? '';
    if (!(answer instanceof LauncherError)) {
      wrong('duplicate jobs', `a submit was answered with ${answer.id}, which belongs to another client`);
    }
    const now = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === name);
    if (now?.metadata.uid !== foreign.metadata?.uid)
      wrong('jobs missing', `${name}, which belonged to another client, is deleted`);
  }
}

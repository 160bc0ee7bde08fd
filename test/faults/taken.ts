/** A name that somebody else takes between a create whose answer is lost and its repetition. */
import { JOBS } from '../cluster/api/resources.ts';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { FAULTS } from '../cluster/faults/rules.ts';
import type { Job } from '../cluster/model.ts';
import { type JobFrame, type Launcher, LauncherError } from '../support/launcher.ts';
import { USER } from './drive.ts';
import type { Wrong } from './tally.ts';

/** A submit whose Job was replaced by somebody else's of the same name before its lost answer was asked for again. */
export interface TakenName {
  readonly foreign: Job;
  readonly answer: JobFrame | LauncherError;
}

/**
 * The answer of a create is lost, and before it is tried again somebody deletes the Job and makes one of his own by that
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

/** The submit fails, and what is his stays. */
export function judgeTaken(cluster: SimulatedCluster, taken: readonly TakenName[], wrong: Wrong): void {
  for (const { foreign, answer } of taken) {
    const name = foreign.metadata?.name ?? '';
    if (!(answer instanceof LauncherError)) {
      wrong('duplicate jobs', `a submit was answered with ${answer.id}, which is somebody else's`);
    }
    const now = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === name);
    if (now?.metadata.uid !== foreign.metadata?.uid)
      wrong('jobs missing', `${name}, which was somebody else's, is gone`);
  }
}

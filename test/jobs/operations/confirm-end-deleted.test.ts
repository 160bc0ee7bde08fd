/** A Job that another client deletes, in every way that there is, has the same final state on every instance. */
import t from 'tap';
import type { Client } from '../../../src/kubernetes/contract.ts';
import { type DeleteOptions, deleteObject } from '../../cluster/api/deletion.ts';
import { JOBS, NAMESPACES, PODS } from '../../cluster/api/resources.ts';
import { eventually } from '../../support/eventually.ts';
import { hasState, running, startPlugins } from '../instance.ts';

const { cluster, instance, stop } = await startPlugins(t, { bookmarkMs: 200 });
const { store, namespace } = cluster;
const KILLED = ['Pending/Pending', 'Running/Running', 'Killed/Deleted'];
/** A program that ends at once on TERM. */
const RUNS = { command: 'trap "exit 0" TERM; while :; do sleep 0.1; done' };

function jobOf(id: string) {
  const found = store.get(JOBS, namespace, id);
  if (found === undefined) throw new Error(`there is no Job ${id}`);
  return found;
}
const isDeleted = (id: string): boolean => store.get(JOBS, namespace, id) === undefined;
const podsOf = (id: string) => store.list(PODS).filter(({ metadata }) => metadata.labels?.['job-name'] === id);

t.test('a deletion without a propagation policy leaves the pod, and the job is Killed', async (t) => {
  const one = await instance();
  const id = await running(one, RUNS);
  deleteObject(store, JOBS, jobOf(id), {});
  await eventually(() => one.announced.get(id)?.at(-1) === 'Killed/Deleted');
  await eventually(() => isDeleted(id));
  t.strictSame(one.announced.get(id), KILLED);
  const [orphan] = podsOf(id);
  t.strictSame([orphan?.metadata.ownerReferences ?? [], orphan?.status.phase], [[], 'Running']);
  for (const pod of podsOf(id)) deleteObject(store, PODS, pod, { gracePeriodSeconds: 0 });
  await stop(one);
});

const CASCADES: readonly DeleteOptions[] = [{ propagationPolicy: 'Background' }, { propagationPolicy: 'Foreground' }];
for (const options of CASCADES) {
  t.test(`a deletion with policy ${options.propagationPolicy}: the job is Killed, once`, async (t) => {
    const one = await instance();
    const id = await running(one, RUNS);
    deleteObject(store, JOBS, jobOf(id), options);
    await eventually(() => isDeleted(id) && podsOf(id).length === 0);
    await eventually(() => one.announced.get(id)?.at(-1) === 'Killed/Deleted');
    t.strictSame(one.announced.get(id), KILLED);
    await eventually(() => one.jobs.list('*').every((job) => job.id !== id));
    await stop(one);
  });
}

t.test('a finalizer that nobody removes: the job is Killed when its pod is deleted, and stays so', async (t) => {
  const one = await instance();
  const id = await running(one, RUNS);
  store.edit(JOBS, jobOf(id), ({ metadata }) => {
    metadata.finalizers = ['example.com/never'];
  });
  deleteObject(store, JOBS, jobOf(id), { propagationPolicy: 'Foreground' });
  for (const pod of podsOf(id)) deleteObject(store, PODS, pod, { gracePeriodSeconds: 1 });
  t.match(await one.until(id, hasState('Killed')), { statusCode: 'Deleted' });
  t.equal(isDeleted(id), false);
  store.edit(JOBS, jobOf(id), ({ metadata }) => {
    metadata.finalizers = [];
  });
  await eventually(() => one.jobs.list('*').every((job) => job.id !== id));
  t.strictSame(one.announced.get(id), KILLED);
  await stop(one);
});

/** Holds back the events of one kind, and what waits for them, until `release`. */
function held(plural: 'jobs' | 'pods') {
  const released = Promise.withResolvers<void>();
  let isReleased = false;
  const waiting: (() => void)[] = [];
  const wrap = (client: Client): Client => ({
    ...client,
    reflector: (options) => {
      if (options.resource.plural !== plural) return client.reflector(options);
      const reflector = client.reflector({
        ...options,
        onEvent: (event) => {
          if (isReleased) options.onEvent(event);
          else waiting.push(() => options.onEvent(event));
        },
      });
      return {
        ...reflector,
        reached: async (version, signal) => {
          await reflector.reached(version, signal);
          await released.promise;
        },
      };
    },
  });
  const release = (): void => {
    isReleased = true;
    for (const deliver of waiting.splice(0)) deliver();
    released.resolve();
  };
  return { wrap, release };
}

t.test('deleted in its first second: every instance says the same, whichever watch is late', async (t) => {
  const [latePods, lateJobs] = [held('pods'), held('jobs')];
  const prompt = await instance();
  const podsLate = await instance({ wrap: latePods.wrap });
  const jobsLate = await instance({ wrap: lateJobs.wrap });
  const isRunning = Promise.withResolvers<string>();
  const unlisten = store.listen(PODS, ({ object }) => {
    if (JSON.stringify(object).includes('"running"')) isRunning.resolve(object.metadata.name);
  });
  const id = await prompt.submit(RUNS);
  await isRunning.promise;
  unlisten();
  deleteObject(store, JOBS, jobOf(id), { propagationPolicy: 'Background' });
  await eventually(() => prompt.announced.get(id)?.at(-1) === 'Killed/Deleted');
  latePods.release();
  lateJobs.release();
  for (const each of [podsLate, jobsLate]) await eventually(() => each.announced.get(id)?.at(-1)?.startsWith('K'));
  for (const each of [prompt, podsLate, jobsLate]) t.equal(each.announced.get(id)?.at(-1), 'Killed/Deleted');
  for (const each of [prompt, podsLate, jobsLate]) await stop(each);
});

t.test('a namespace that is being deleted: jobs are Killed, and a submit says why it is refused', async (t) => {
  const one = await instance();
  const id = await running(one, RUNS);
  const found = store.get(NAMESPACES, '', namespace);
  if (found === undefined) throw new Error('no namespace');
  deleteObject(store, NAMESPACES, found, {});
  await eventually(() => one.announced.get(id)?.at(-1) === 'Killed/Deleted');
  t.strictSame(one.announced.get(id), KILLED);
  await t.rejects(one.submit(RUNS), { message: /namespace .*(terminated|not found)/ });
  await stop(one);
});

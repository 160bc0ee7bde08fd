/** Final states of many jobs are confirmed with a few calls at a time, so that calls of users do not queue behind them. */
import t from 'tap';
import { type Client, JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { hasState, startPlugins } from '../instance.ts';

const NAMES = Array.from({ length: 20 }, (_, index) => `${index}`);

t.test('of 20 jobs that end with 137 at the same time, 16 are read at a time', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const other = await instance({ token: cluster.adminToken });
  const mayAnswer = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  /** A call that waits until all calls that may be sent at a time were sent. */
  const counted = async <T>(call: () => Promise<T>): Promise<T> => {
    running++;
    most = Math.max(most, running);
    try {
      await mayAnswer.promise;
      return await call();
    } finally {
      running--;
    }
  };
  const watcher = await instance({
    wrap: (client): Client => ({
      ...client,
      get: (resource, ...rest) =>
        resource.plural === 'jobs' ? counted(() => client.get(resource, ...rest)) : client.get(resource, ...rest),
      list: (...given) => counted(() => client.list(...given)),
    }),
  });
  const ids = await Promise.all(NAMES.map(() => other.submit({ command: 'exit 137' })));
  for (const id of ids) await other.until(id, hasState('Finished'));
  await eventually(() => running >= 16);
  mayAnswer.resolve();
  for (const id of ids) t.match(await watcher.until(id, hasState('Finished')), { statusCode: 'Error', exitCode: 137 });
  t.equal(most, 16);
});

t.test('jobs that wait for the result of another instance take no place of the reads', async (t) => {
  const { cluster, instance } = await startPlugins(t, { bookmarkMs: 500 });
  const never = new Promise<never>(() => undefined);
  const witness = await instance({
    token: cluster.adminToken,
    wrap: (client) => ({
      ...client,
      patch: (resource, name, patch, options) =>
        JSON.stringify(patch).includes('job-launcher/result') ? never : client.patch(resource, name, patch, options),
    }),
  });
  const ids = await Promise.all(NAMES.map(() => witness.submit({ command: 'sleep 600' })));
  for (const id of ids) await witness.until(id, hasState('Running'));
  const pods = async () => (await witness.client.list(PODS, { labelSelector: 'job-name' })).items;
  for (const { metadata } of await pods())
    await witness.client.delete(PODS, metadata?.name ?? '', { propagationPolicy: 'Background' });
  await eventually(async () => (await pods()).length === 0);
  for (const id of ids) await eventually(async () => (await witness.client.get(JOBS, id)).object.status?.failed === 1);

  let waits = 0;
  const clock: Clock = {
    ...systemClock,
    after: (ms, run) => {
      if (ms !== 15_000) return systemClock.after(ms, run);
      waits++;
      return () => undefined;
    },
  };
  await instance({ clock });
  await eventually(() => waits === 20);
  t.equal(waits, 20);
});

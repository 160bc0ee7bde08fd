/** Jobs with annotations that were changed by hand. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

t.test('a malformed submission record changes nothing for a running job and is logged once', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const admin = await instance({ token: cluster.adminToken });
  const id = await admin.submit({ name: 'Report', command: 'sleep 600' });
  const other = await admin.submit({ command: 'sleep 600' });
  for (const each of [id, other]) await admin.until(each, hasState('Running'));
  const note = JSON.stringify({ run: 'command', exposedPorts: [null], queues: {}, config: [null], mounts: '/data' });
  await admin.client.patch(JOBS, id, { metadata: { annotations: { 'job-launcher/job': note } } });

  const one = await instance({ clock: fastClock(600) });
  await one.jobs.control(other, 'alice', 'kill');
  await one.until(other, hasState('Killed'));
  t.match(one.jobs.find(id, 'alice'), {
    name: 'Report',
    user: 'alice',
    status: 'Running',
    exposedPorts: [],
    mounts: [],
  });
  await one.jobs.control(id, 'alice', 'kill');
  await one.until(id, hasState('Killed'));
  t.strictSame(
    one.log.filter(({ sentence }) => sentence.includes('job-launcher/job')),
    [
      {
        level: 'warning',
        sentence: 'Ignoring malformed fields in annotation job-launcher/job',
        fields: { job: id, fields: 'config, exposedPorts, mounts, queues' },
      },
    ],
  );
});

t.test('a job that cannot be shown is logged, and the other jobs are listed', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const admin = await instance({ token: cluster.adminToken });
  const broken = await admin.submit({ command: 'sleep 600' });
  const whole = await admin.submit({ command: 'sleep 600' });
  await admin.until(broken, hasState('Running'));
  const one = await instance({
    wrap: (client) => ({
      ...client,
      reflector: (options) =>
        client.reflector({
          ...options,
          project: (object) => {
            const view = options.project(object);
            return view?.name === broken ? { ...view, request: hostless({ user: 'alice', exposedPorts: [] }) } : view;
          },
        }),
    }),
  });
  t.strictSame(
    one.jobs.list('alice').map(({ id }) => id),
    [whole],
  );
  t.match(
    one.log.filter(({ level }) => level === 'error'),
    [{ sentence: 'BUG: a job cannot be shown; it is left out of the list', fields: { job: broken } }],
  );
});

/** A request that cannot be read completely. */
const hostless = (request: object): object =>
  Object.defineProperty({ ...request }, 'host', {
    enumerable: true,
    get: () => {
      throw new Error('no host');
    },
  });

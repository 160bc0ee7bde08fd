/** A job runs to the letter as it was asked for, and its launcher is told all of it; what cannot run says why. */
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import type { Frame, StatusFrame } from '../support/launcher.ts';
import { refused, setUp } from './harness.ts';

const world = await setUp(t);
const { launcher, user, other } = world;
t.jobs = 6;

t.test('a job goes Pending, Running, Finished, and shows what was asked for', async (t) => {
  const end = world.gate();
  const command = `${end.wait}; echo out`;
  const job = await world.submit({
    name: 'Lifecycle Ünïcode / 1',
    command,
    args: ['a', '"b c"'],
    environment: [{ name: 'A', value: 'x $HOME $(B) $$' }],
    tags: ['zeta', 'alpha'],
    queues: ['q'],
    workingDirectory: '/tmp',
    resourceLimits: [
      { type: 'cpuCount', value: '0.5' },
      { type: 'memory', value: '64' },
    ],
  });
  t.match(job.id, /^lifecycle-[-a-z0-9]*-[a-z0-9]{10}$/);
  t.equal(job.status, 'Pending');
  t.equal(job.name, 'Lifecycle Ünïcode / 1');
  t.equal(job['exitCode'], undefined);

  const seen: StatusFrame[] = [];
  const stream = launcher.status(user, job.id, (status) => seen.push(status));
  await world.until(job.id, 'Running');
  await end.open(job.id);
  await world.until(job.id, 'Finished');
  stream.cancel();
  // On a busy machine the pod may run before the stream begins.
  const states = [job, ...seen].map(({ status }) => status).filter((state, index, all) => state !== all[index - 1]);
  t.same(states, ['Pending', 'Running', 'Finished']);
  t.same(
    seen.map((status) => status.seqId),
    seen.map((_, index) => index + 1),
  );

  const ended = await launcher.job(user, job.id);
  t.match(ended, {
    id: job.id,
    name: 'Lifecycle Ünïcode / 1',
    user,
    status: 'Finished',
    statusCode: 'Completed',
    exitCode: 0,
    command,
    exe: '',
    args: ['a', '"b c"'],
    environment: [{ name: 'A', value: 'x $HOME $(B) $$' }],
    tags: ['alpha', 'zeta'],
    queues: ['q'],
    workingDirectory: '/tmp',
    stdin: '',
    resourceProfile: 'custom',
    container: { image: world.cluster.image },
  });
});

t.test('exit codes and what could not be started', async (t) => {
  const cases = [
    { job: { command: 'exit 0' }, status: 'Finished', exitCode: 0 },
    { job: { command: 'exit 3' }, status: 'Finished', exitCode: 3 },
    { job: { command: 'exit 255' }, status: 'Finished', exitCode: 255 },
    { job: { command: 'no-such-command-here' }, status: 'Finished', exitCode: 127 },
    { job: { exe: '/bin/sh', args: ['-c', 'exit 7'] }, status: 'Finished', exitCode: 7 },
    { job: { exe: '/no/such/program' }, status: 'Failed', exitCode: undefined },
  ];
  await Promise.all(
    cases.map(async ({ job, status, exitCode }) => {
      const ended = await world.run(job);
      t.equal(ended.status, status, JSON.stringify(job));
      t.equal(ended.exitCode, exitCode, JSON.stringify(job));
      if (status === 'Failed') t.match(ended.statusMessage, '/no/such/program');
    }),
  );
});

t.test('an image that cannot be had: Pending with the reason, then canceled', async (t) => {
  const { id } = await world.submit({ command: 'true', container: { image: 'registry.invalid/missing:1.0' } });
  const pending = await world.until(id, (status) => /registry\.invalid\/missing:1\.0/.test(status.statusMessage));
  t.equal(pending.status, 'Pending');
  t.same(await launcher.control(user, id, 'cancel'), { complete: true, message: '' });
  const canceled = await world.until(id, 'Canceled');
  t.equal(canceled.statusCode, 'Canceled');
  t.equal((await launcher.job(user, id)).exitCode, undefined);
  t.equal(await world.text(id), '', 'a job that never ran has no output');
});

t.test('a node that does not exist: Pending, says why', async (t) => {
  const { id } = await world.submit({ command: 'true', host: 'no-such-node' });
  const pending = await world.until(id, (status) => /nodes are available/.test(status.statusMessage));
  t.equal(pending.status, 'Pending');
  t.same(await launcher.control(user, id, 'cancel'), { complete: true, message: '' });
  await world.until(id, 'Canceled');
});

t.test('environment and arguments arrive to the letter', async (t) => {
  const value = 'dollar $HOME $(A) $$(A) $$ "quoted" \'single\' \\ back; semi & ünï 😀';
  const { id } = await world.submit({
    exe: '/bin/sh',
    args: ['-c', 'printf "%s\\n" "$GIVEN" "$1"', 'sh', value],
    environment: [
      { name: 'A', value: 'a' },
      { name: 'GIVEN', value },
    ],
  });
  await world.until(id, 'Finished');
  t.equal(await world.text(id), `${value}\n${value}\n`);
});

t.test('arguments of a command are appended with spaces, not quoted', async (t) => {
  const { id } = await world.submit({ command: 'echo', args: ['a', '"b   c"', '$((1+1))'] });
  await world.until(id, 'Finished');
  t.equal(await world.text(id), 'a b   c 2\n');
});

t.test('the working directory', async (t) => {
  const { id } = await world.submit({ command: 'pwd', workingDirectory: '/tmp' });
  await world.until(id, 'Finished');
  t.match(await world.text(id), /\/tmp\n$/);
});

t.test('limits and requests reach the container', async (t) => {
  const { id } = await world.submit({
    command: 'true',
    resourceLimits: [
      { type: 'cpuCount', value: '0.250000' },
      { type: 'memory', value: '48.000000' },
    ],
  });
  const { body } = await world.cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
  t.match(body, {
    spec: { template: { spec: { containers: [{ resources: { limits: { cpu: '250m', memory: '48M' } } }] } } },
  });
});

t.test('resource usage: refused before the job runs, reported while it runs, complete at the end', async (t) => {
  const pending = await world.submit({ command: 'true', host: 'no-such-node' });
  await refused(t, launcher.usage(user, pending.id, () => {}).completed, 6);
  t.same(await launcher.control(user, pending.id, 'cancel'), { complete: true, message: '' });

  const end = world.gate();
  const { id } = await world.submit({ command: end.wait });
  await world.until(id, 'Running');
  const frames: Frame[] = [];
  const { completed } = launcher.usage(user, id, (frame) => frames.push(frame));
  await eventually(() => frames.length > 0, 'a measurement');
  await end.open(id);
  await completed;
  t.ok(frames.every((frame) => frame['complete'] === false));
});

t.test('get jobs: ids, filters, fields, jobs of others', async (t) => {
  const job = await world.submit({ name: 'find me', command: 'true', tags: ['needle', 'hay'] });
  t.same(
    (await launcher.jobs(user, { tags: ['needle'], fields: ['name'] })).map(({ id, name, ...rest }) => [
      id,
      name,
      rest,
    ]),
    [[job.id, 'find me', {}]],
  );
  t.same(await launcher.jobs(user, { tags: ['needle', 'missing'] }), []);
  t.same(await launcher.jobs(other), []);
  t.ok((await launcher.jobs('*')).some(({ id }) => id === job.id));
  await refused(t, launcher.job(other, job.id), 3);
  await refused(t, launcher.job(user, '../secrets/x'), 3);
  await refused(t, launcher.jobs(user, { statuses: ['Sleeping'] }), 2);
  await world.until(job.id, 'Finished');
  t.same(
    (await launcher.jobs(user, { tags: ['needle'], statuses: ['finished'], fields: ['status'] })).map(({ id }) => id),
    [job.id],
  );
});

t.test('a submit that says too little or too much is refused and leaves nothing', async (t) => {
  await refused(t, launcher.submit(user, { command: 'true', exe: '/bin/true', name: 'both' }), 2);
  await refused(t, launcher.submit(user, { name: 'nothing' }), 2);
  await refused(t, launcher.submit(user, { name: 'nobody', command: 'true', user: other }), 2);
  t.equal((await launcher.jobs(user)).filter(({ name }) => ['both', 'nothing', 'nobody'].includes(name)).length, 0);
});

t.test('requests that nobody knows are answered', async (t) => {
  await refused(t, launcher.request(17, { username: user }), 1);
  await refused(t, launcher.request(5, { username: user, jobId: 'x', operation: 9 }), 2);
});

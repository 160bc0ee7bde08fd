/** The input of a job is delivered once, by any instance, and its Secret is deleted; if it was not delivered, the job says why. */
import t from 'tap';
import { JOBS as JOBS_KIND, SECRETS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, type Instance, startWorld, terminal } from '../instance.ts';

const { cluster, admin, instance, stop, annotation, exists } = await startWorld(t);

t.test('input is delivered once, by any instance', async (t) => {
  const one = await instance();
  const two = await instance({ clock: fastClock(200) });
  const text = `héllo\n${'x'.repeat(100_000)}\n`;
  const id = await one.submit({ command: 'cat', stdin: text });
  t.match(await one.until(id, terminal), { status: 'Finished', exitCode: 0 });
  t.equal(await one.output(id), text);
  await eventually(async () => !(await exists(SECRETS, `${id}-stdin`)));
  await stop(one);

  t.comment('the submitting instance is gone before the container runs: another one delivers');
  const gone = await instance();
  const late = await gone.submit({
    command: 'cat',
    stdin: 'later\n',
    placementConstraints: [{ name: 'az', value: 'us-east' }],
  });
  await stop(gone);
  t.match(await two.until(late, terminal), { status: 'Finished', exitCode: 0 });
  t.equal(await two.output(late), 'later\n');

  t.comment('the Secret is gone and nobody has claimed it');
  const lost = await admin.submit({ command: 'read x; echo "$x"; sleep 60' });
  const note = JSON.parse((await annotation(lost, 'job')) ?? '{}');
  await admin.client.patch(JOBS_KIND, lost, {
    metadata: { annotations: { 'job-launcher/job': JSON.stringify({ ...note, stdin: true }) } },
  });
  await two.until(lost, ({ status, statusMessage }) => status === 'Running' && statusMessage === 'its input was lost');
  await admin.jobs.control(lost, '*', 'kill');

  t.comment('claimed by an earlier run of the same plugin, which died before it had delivered');
  const dead = await instance({
    processId: 'host/kube/first',
    wrap: (client) => ({ ...client, attachInput: () => Promise.reject(new Error('the process died')) }),
  });
  const cut = await dead.submit({ command: 'sleep 60', stdin: 'x' });
  await eventually(() => annotation(cut, 'stdin'));
  await stop(dead);
  const next = await instance({ processId: 'host/kube/second' });
  await next.until(cut, ({ statusMessage }) => statusMessage === 'its input may have been cut');
  await next.jobs.control(cut, '*', 'kill');
  await next.until(cut, terminal);
  await stop(next);
  await stop(two);
});

t.test('input that was not delivered goes when its job has ended, not with the job', async (t) => {
  const one = await instance();
  const nowhere = { command: 'cat', stdin: 'x', placementConstraints: [{ name: 'az', value: 'nowhere' }] };
  const id = await one.submit(nowhere);
  const waiting = await one.submit(nowhere);
  await one.jobs.control(id, '*', 'cancel');
  await one.until(id, hasState('Canceled'));
  await eventually(() => annotation(id, 'result'));
  await stop(one);
  t.ok(await exists(SECRETS, `${id}-stdin`));
  const two = await instance({ clock: fastClock(200) });
  await eventually(async () => !(await exists(SECRETS, `${id}-stdin`)));
  t.ok(await exists(JOBS_KIND, id));
  t.ok(await exists(SECRETS, `${waiting}-stdin`), 'of a job that has not ended');
  // Many times as long as it takes to be due again.
  await two.until(await two.submit({ command: 'true' }), terminal);
  const told = two.log.filter(
    ({ sentence, fields }) => sentence === 'Deleting the stdin Secret of a finished job' && fields['job'] === id,
  );
  t.equal(told.length, 1);
  await two.jobs.control(waiting, '*', 'cancel');
  await stop(two);
});

t.test('a claim without a response belongs to this process: the input is delivered', async (t) => {
  let claims = 0;
  const one = await instance({
    wrap: (client) => ({
      ...client,
      patch: async (resource, name, change, options) => {
        const answer = await client.patch(resource, name, change, options);
        if (!JSON.stringify(change).includes('job-launcher/stdin') || claims++ > 0) return answer;
        const text = 'other side closed';
        throw new KubernetesError({ code: 'bad-answer', method: 'PATCH', path: '/', text });
      },
    }),
  });
  const id = await one.submit({ command: 'cat', stdin: 'once\n' });
  t.match(await one.until(id, terminal), { status: 'Finished', exitCode: 0 });
  t.equal(await one.output(id), 'once\n');
  await stop(one);
});

t.test('input that waits after it was claimed, and input that nobody may look for', async (t) => {
  const dead = await instance({
    processId: 'elsewhere/kube/x',
    wrap: (client) => ({ ...client, attachInput: () => Promise.reject(new Error('the process died')) }),
  });
  const id = await dead.submit({ command: 'sleep 60', stdin: 'x' });
  await eventually(() => annotation(id, 'stdin'));
  await stop(dead);
  const says = (text: string) => (job: { status: string; statusMessage: string }) =>
    job.status === 'Running' && job.statusMessage === text;
  const hasTold = (one: Instance): boolean =>
    one.log.some(({ sentence }) => sentence === 'Checking stdin claimed by another plugin process');
  // Ten minutes are three seconds.
  const other = await instance({ processId: 'host/kube/1', clock: fastClock(200) });
  const before = Date.now();
  await other.until(id, says('its input may have been cut'));
  t.ok(Date.now() - before > 2_500, 'not before ten minutes have passed');
  t.ok(hasTold(other));
  await stop(other);

  const rules = cluster.access.rules();
  cluster.access.setRules([
    {
      subject: `system:serviceaccount:${cluster.namespace}:job-launcher`,
      namespace: cluster.namespace,
      verbs: ['*'],
      groups: ['*'],
      resources: ['jobs', 'pods', 'pods/log', 'pods/exec', 'pods/attach', 'services', 'events'],
    },
  ]);
  const token = cluster.currentToken();
  const poor = await instance({
    processId: 'elsewhere/kube/y',
    token,
    wrap: (client) => ({ ...client, attachInput: () => Promise.reject(new Error('the process died')) }),
  });
  const kept = await poor.submit({ command: 'sleep 60', stdin: 'y' });
  await eventually(() => annotation(kept, 'stdin'));
  await stop(poor);
  const next = await instance({ processId: 'elsewhere/kube/z', token, clock: fastClock(200) });
  await next.until(kept, says('its input may have been cut'));
  const unclaimed = JSON.stringify({ metadata: { annotations: { 'job-launcher/stdin': null } } });
  await stop(next);
  await admin.client.patch(JOBS_KIND, kept, JSON.parse(unclaimed));
  const last = await instance({ processId: 'elsewhere/kube/0', token, clock: fastClock(200) });
  await last.until(kept, says('its input was lost'));
  t.strictSame(
    [...next.log, ...last.log].filter(({ sentence }) => /; retrying$/.test(sentence)),
    [],
  );
  await stop(last);
  cluster.access.setRules(rules);
  for (const each of [id, kept]) await admin.jobs.control(each, '*', 'kill');
});

/** Jobs against the simulated cluster: what is asked arrives, what happens is told, nothing lives only in memory. */
import t from 'tap';
import type { Client } from '../../src/kubernetes/contract.ts';
import { JOBS as JOBS_KIND, PODS, SECRETS, SERVICES } from '../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../src/kubernetes/errors.ts';
import { startCluster } from '../cluster/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { fastClock, hasState, type Instance, startInstance } from './instance.ts';
import { request } from './requests.ts';

const cluster = await startCluster({ speed: 20 });
const admin = await startInstance(cluster, { token: cluster.adminToken, options: { pendingTimeoutSeconds: 0 } });
const started: Instance[] = [admin];
t.teardown(async () => {
  for (const one of started) await one.stop();
  await cluster.stopApi('clean');
  await cluster.close();
});
async function instance(...given: Parameters<typeof startInstance> extends [unknown, ...infer Rest] ? Rest : never) {
  const one = await startInstance(cluster, ...given);
  started.push(one);
  return one;
}
const stop = async (one: Instance): Promise<void> => {
  started.splice(started.indexOf(one), 1);
  await one.stop();
};
const annotation = async (id: string, name: string): Promise<string | undefined> =>
  (await admin.client.get(JOBS_KIND, id)).object.metadata?.annotations?.[`job-launcher/${name}`];
const exists = (kind: typeof SECRETS | typeof SERVICES | typeof JOBS_KIND, name: string): Promise<boolean> =>
  admin.client.get<object>(kind, name).then(
    () => true,
    () => false,
  );
const podOf = async (id: string) => (await admin.client.list(PODS, { labelSelector: `job-name=${id}` })).items[0];
const terminal = hasState('Finished', 'Failed', 'Killed', 'Canceled');

t.test('from submit to end; the end outlives the pod and the plugin', async (t) => {
  const one = await instance();
  const id = await one.submit({
    name: 'Report $1',
    command: 'echo "$A"; echo wörld; exit',
    args: ['3'],
    environment: [{ name: 'A', value: 'costs $5 $$ $(A)' }],
    tags: ['x'],
  });
  t.match(id, /^report-1-[a-z0-9]{10}$/);
  t.match(one.jobs.find(id, 'alice'), { status: 'Pending', user: 'alice', args: ['3'], stdin: '' }, 'found at once');
  t.throws(() => one.jobs.find(id, 'bob'), { code: 'job-not-found' });
  t.strictSame([one.jobs.list('bob').length, one.jobs.list('alice').length], [0, 1]);
  const ended = await one.until(id, terminal);
  t.match(ended, { status: 'Finished', statusCode: 'Error', exitCode: 3, statusMessage: 'ended with exit code 3' });
  t.equal(await one.output(id), 'costs $5 $$ $(A)\nwörld\n');
  const result = JSON.parse(await eventually(() => annotation(id, 'result')));
  t.match(result, { state: 'Finished', statusCode: 'Error', exitCode: 3, startedAt: /Z$/, endedAt: /Z$/ });
  const pod = await podOf(id);
  await admin.client.delete(PODS, pod?.metadata?.name ?? '', { propagationPolicy: 'Background' });
  await eventually(async () => (await podOf(id)) === undefined);
  await t.rejects(one.output(id), { code: 'output-not-found' });
  await stop(one);
  const again = await instance();
  t.strictSame(
    { ...again.jobs.find(id, 'alice'), lastUpdateTime: 0, host: '' },
    { ...ended, lastUpdateTime: 0, host: '' },
  );
  await t.rejects(again.output(id), { code: 'output-not-found' }, 'there was output, and it is gone');
  await stop(again);
});

t.test('stop, kill and cancel, by two instances at once', async (t) => {
  const one = await instance();
  const two = await instance();
  const stopped = await one.submit({ command: 'sleep 60' });
  const killed = await one.submit({ command: 'trap "" TERM; sleep 60' });
  const deleted = await one.submit({ command: 'sleep 60' });
  const pending = await one.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  await t.rejects(one.jobs.control(pending, 'alice', 'stop'), { code: 'invalid-job-state' });
  await t.rejects(one.jobs.control(pending, 'bob', 'cancel'), { code: 'job-not-found' });
  for (const each of [one, two]) {
    for (const id of [stopped, killed, deleted]) await each.until(id, hasState('Running'));
    await each.until(pending, ({ statusMessage }) => statusMessage.startsWith('0/1 nodes are available'));
  }
  await t.rejects(one.jobs.control(stopped, 'alice', 'suspend'), { code: 'invalid-request' });
  await t.rejects(one.jobs.control(stopped, 'alice', 'cancel'), { code: 'invalid-job-state' });
  t.strictSame(await Promise.all([one, two].map((each) => each.jobs.control(stopped, 'alice', 'stop'))), [
    { complete: true, message: '' },
    { complete: true, message: '' },
  ]);
  t.strictSame(await one.jobs.control(killed, 'alice', 'kill'), { complete: true, message: '' });
  t.strictSame(await two.jobs.control(pending, '*', 'cancel'), { complete: true, message: '' });
  for (const each of [one, two]) {
    t.match(await each.until(stopped, terminal), { status: 'Finished', statusCode: 'Stopped', exitCode: 143 });
    t.match(await each.until(killed, terminal), { status: 'Killed', statusCode: 'Killed', exitCode: 137 });
    t.match(await each.until(pending, terminal), { status: 'Canceled', statusCode: 'Canceled' });
  }
  t.strictSame(one.told.get(stopped), ['Pending/Pending', 'Running/Running', 'Finished/Stopped']);
  t.equal(await one.output(pending), '', 'it never ran');
  t.match(JSON.parse((await annotation(killed, 'control')) ?? ''), { operation: 'kill', user: 'alice', at: /Z$/ });
  await stop(two);

  const byDeletion = await instance({ options: { killMethod: 'delete' } });
  await byDeletion.until(deleted, hasState('Running'));
  t.strictSame(await byDeletion.jobs.control(deleted, 'alice', 'kill'), { complete: true, message: '' });
  for (const each of [one, byDeletion])
    t.match(await each.until(deleted, terminal), { status: 'Killed', exitCode: 137, statusMessage: '' });
  await stop(one);
  await stop(byDeletion);
});

t.test('a control that comes too late, or is refused, is taken back', async (t) => {
  let before: (() => Promise<void>) | undefined;
  const wrap = (client: Client): Client => ({
    ...client,
    patch: async (kind, name, patch, options) => {
      if (kind.plural === 'pods' && before !== undefined) {
        const run = before;
        before = undefined;
        await run();
      }
      return client.patch(kind, name, patch, options);
    },
  });
  const one = await instance({ wrap });
  const id = await one.submit({ command: 'read line < /dev/null; while [ ! -e "$PWD/go" ]; do sleep 0.02; done' });
  await one.until(id, hasState('Running'));
  const pod = (await podOf(id))?.metadata?.name ?? '';
  before = async () => {
    t.match(await annotation(id, 'control'), /"stop"/, 'recorded before it is done');
    await admin.client.exec(pod, 'rs-launcher-container', ['/bin/sh', '-c', 'kill -KILL -1']);
    await eventually(async () => (await podOf(id))?.status?.containerStatuses?.[0]?.state?.terminated);
  };
  await t.rejects(one.jobs.control(id, 'alice', 'stop'), { code: 'invalid-job-state' });
  t.equal(await annotation(id, 'control'), undefined, 'taken back');
  t.match(await one.until(id, terminal), { status: 'Finished', exitCode: 137 }, 'it ended, not by us');
  await t.rejects(one.jobs.control(id, 'alice', 'kill'), { code: 'invalid-job-state' });

  const other = await one.submit({ command: 'sleep 60' });
  await one.until(other, hasState('Running'));
  const fault = cluster.faults.add({
    method: 'PATCH',
    path: /\/pods\//,
    fault: {
      type: 'answer',
      answer: {
        status: 422,
        contentType: 'application/json',
        body: JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'policy says no', code: 422 }),
      },
    },
  });
  t.strictSame(await one.jobs.control(other, 'alice', 'stop'), {
    complete: false,
    message: 'Kubernetes refused the stop: policy says no',
  });
  t.equal(fault.hits(), 1);
  t.equal(await annotation(other, 'control'), undefined);
  await one.jobs.control(other, 'alice', 'kill');
  await one.until(other, terminal);
  await stop(one);
});

t.test('kill where signals cannot do it, or only say so; cancel of a job that has just ended', async (t) => {
  const alone = await instance({ options: { shareProcessNamespace: false } });
  const id = await alone.submit({ command: 'sleep 60' });
  await alone.until(id, hasState('Running'));
  t.strictSame(await alone.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' }, 'by deletion');
  t.match(await alone.until(id, terminal), { status: 'Killed', exitCode: 137 });
  await stop(alone);

  const commands: (readonly string[])[] = [];
  const liar = await instance({
    clock: fastClock(20),
    wrap: (client) => ({
      ...client,
      exec: async (_pod, _container, command) => {
        commands.push(command);
        return { exitCode: 0, output: '', message: '' };
      },
    }),
  });
  const spared = await admin.submit({ command: 'sleep 60' });
  await liar.until(spared, hasState('Running'));
  t.strictSame(await liar.jobs.control(spared, 'alice', 'kill'), { complete: true, message: '' });
  t.strictSame(commands, [['/bin/sh', '-c', 'kill -KILL -1']]);
  t.match(await liar.until(spared, terminal), { status: 'Killed', exitCode: 137 });
  await stop(liar);

  let isHeld = false;
  const behind = await instance({
    wrap: (client) => ({
      ...client,
      reflector: (options) =>
        client.reflector({ ...options, onEvent: (event) => (isHeld ? undefined : options.onEvent(event)) }),
    }),
  });
  isHeld = true;
  const ended = await admin.submit({ command: 'true' });
  t.throws(() => behind.jobs.find(ended, '*'), 'it has not heard of it');
  isHeld = false;
  await admin.until(ended, terminal);
  const canceled = await behind.submit({ command: 'true' });
  isHeld = true;
  await eventually(async () => (await admin.client.get(JOBS_KIND, canceled)).object.status?.completionTime);
  await t.rejects(behind.jobs.control(canceled, 'alice', 'cancel'), { code: 'invalid-job-state' });
  t.equal(await annotation(canceled, 'control'), undefined, 'not left behind');
  await stop(behind);
});

t.test('a kill of a job that ends by itself at that moment', async (t) => {
  let running = '';
  let refuses = false;
  const text = 'container not found ("rs-launcher-container")';
  const notRunning = new KubernetesError({ code: 'server-error', method: 'EXEC', path: '', status: 500, text });
  const one = await instance({
    wrap: (client) => ({
      ...client,
      exec: async (pod) => {
        await client.exec(pod, 'rs-launcher-container', ['/bin/sh', '-c', 'touch go']);
        if (refuses) throw notRunning;
        await eventually(async () => (await podOf(running))?.status?.containerStatuses?.[0]?.state?.terminated);
        return { exitCode: 0, output: '', message: '' };
      },
    }),
  });
  for (refuses of [false, true]) {
    running = await one.submit({ command: 'echo out; while [ ! -e go ]; do sleep 0.02; done; exit 3' });
    await one.until(running, hasState('Running'));
    await t.rejects(one.jobs.control(running, 'alice', 'kill'), { code: 'invalid-job-state' });
    t.match(await one.until(running, terminal), { status: 'Finished', exitCode: 3 });
    t.equal(await annotation(running, 'control'), undefined, 'taken back');
    t.equal(await one.output(running), 'out\n', 'its log is still there');
  }
  await stop(one);
});

t.test('recorded, and the plugin died before it acted: any instance does it again', async (t) => {
  const one = await instance({ clock: fastClock(40) });
  const id = await admin.submit({ command: 'sleep 60' });
  await one.until(id, hasState('Running'));
  const record = JSON.stringify({ operation: 'stop', at: '', user: 'alice' });
  await admin.client.patch(JOBS_KIND, id, { metadata: { annotations: { 'job-launcher/control': record } } });
  t.match(await one.until(id, terminal), { status: 'Finished', statusCode: 'Stopped', exitCode: 143 });
  await stop(one);
});

t.test('input is delivered once, whoever does it', async (t) => {
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
  const told = two.log.filter(({ sentence, fields }) => /left of the input/.test(sentence) && fields['job'] === id);
  t.equal(told.length, 1);
  await two.jobs.control(waiting, '*', 'cancel');
  await stop(two);
});

t.test('a claim whose answer was lost is our own: the input is delivered all the same', async (t) => {
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
  const hasTold = (one: Instance): boolean => one.log.some(({ sentence }) => /claimed long ago/.test(sentence));
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
    [...next.log, ...last.log].filter(({ sentence }) => /did not work$/.test(sentence)),
    [],
  );
  await stop(last);
  cluster.access.setRules(rules);
  for (const each of [id, kept]) await admin.jobs.control(each, '*', 'kill');
});

t.test('ports: a Service, its addresses, made later if it is missing, undone if it cannot be made', async (t) => {
  const one = await instance();
  const healer = await instance({ clock: fastClock(100) });
  const ports = { command: 'sleep 60', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] };
  const id = await one.submit(ports);
  const [port] = one.jobs.find(id, 'alice').exposedPorts;
  t.ok((port?.publishedPort ?? 0) >= 30_000, 'the node port is in the submit answer');
  await t.rejects(one.jobs.network(id, 'bob'), { code: 'job-not-found' });
  await one.until(id, hasState('Running'));
  t.match(await one.jobs.network(id, 'alice'), { host: 'node0', ipAddresses: ['10.250.0.1'] });

  await admin.client.delete(SERVICES, id, { propagationPolicy: 'Background' });
  await eventually(() => one.jobs.find(id, '*').exposedPorts[0]?.publishedPort === undefined);
  await eventually(() => exists(SERVICES, id));
  await eventually(() => one.jobs.find(id, '*').exposedPorts[0]?.publishedPort !== undefined);

  await admin.client.delete(JOBS_KIND, id, { propagationPolicy: 'Background' });
  await eventually(async () => !(await exists(SERVICES, id)));
  await eventually(() => one.told.get(id)?.at(-1) === 'Killed/Deleted');
  t.throws(() => one.jobs.find(id, '*'), { code: 'job-not-found' });
  await stop(one);
  await stop(healer);

  for (const [serviceType, addresses] of [
    ['ClusterIP', 2],
    ['LoadBalancer', 1],
  ] as const) {
    const other = await instance({ options: { serviceType } });
    const its = await other.submit(ports);
    await other.until(its, hasState('Running'));
    t.equal((await other.jobs.network(its, '*')).ipAddresses.length, addresses, serviceType);
    await other.jobs.control(its, '*', 'kill');
    await other.until(its, terminal);
    await stop(other);
  }

  const refused = await instance();
  const allow = cluster.denyNew('services', 'no services today');
  const before = (await admin.client.list(JOBS_KIND)).items.length;
  await t.rejects(refused.submit(ports), { code: /unknown|invalid-request/, message: /no services today/ });
  allow();
  await eventually(async () => (await admin.client.list(JOBS_KIND)).items.length === before);
  t.equal(refused.jobs.list('*').length, before, 'no ghost');
  await stop(refused);
});

t.test('a submit whose answer is lost: once, or not at all', async (t) => {
  const one = await instance();
  const path = /\/apis\/batch\/v1\/namespaces\/rstudio\/jobs(\?|$)/;
  cluster.faults.add({ method: 'POST', path, fault: { type: 'resetBeforeHeaders' } });
  const id = await one.submit({ command: 'true' });
  t.match(await one.until(id, terminal), { status: 'Finished' });
  const all = one.jobs.list('*').length;

  const fault = cluster.faults.add({ method: 'POST', path, fault: { type: 'resetBeforeHeaders' }, times: 1000 });
  await t.rejects(one.jobs.submit(request({ name: 'ghost', command: 'sleep 60' }), 'alice', 3000), {
    code: /unknown|timeout/,
  });
  fault.remove();
  t.equal(one.jobs.list('*').length, all, 'nobody sees it');
  await eventually(async () =>
    (await admin.client.list(JOBS_KIND)).items.every((job) => !job.metadata?.name?.startsWith('ghost-')),
  );
  t.equal(one.jobs.list('*').length, all);
  t.strictSame(
    [...one.told.keys()].filter((told) => told.startsWith('ghost-')),
    [],
  );
  await t.rejects(one.jobs.submit(request({ user: 'bob' }), 'alice'), { code: 'invalid-request' });
  await t.rejects(one.jobs.submit(request({ user: '*' }), '*'), { code: 'invalid-request' });
  await t.rejects(one.jobs.submit(request({ environment: [{ name: 'A B=', value: '' }] }), 'alice'), {
    code: 'invalid-request',
  });
  await stop(one);
});

t.test('resource use: measured once for all who ask, and silent without metrics', async (t) => {
  const one = await instance();
  const id = await one.submit({ command: 'while :; do :; done' });
  t.throws(() => one.jobs.usage(id, 'alice', new AbortController().signal), { code: 'job-not-running' });
  t.throws(() => one.jobs.usage(id, 'bob', new AbortController().signal), { code: 'job-not-found' });
  await one.until(id, hasState('Running'));
  const measure = async (signal: AbortSignal) => {
    for await (const usage of one.jobs.usage(id, 'alice', signal)) return usage;
    return undefined;
  };
  cluster.setMetrics('absent');
  t.strictSame(await measure(AbortSignal.timeout(5000)), {});
  t.strictSame(await measure(AbortSignal.timeout(5000)), {});
  t.equal(one.log.filter(({ sentence }) => sentence.includes('metrics-server')).length, 1, 'one line');
  cluster.setMetrics('present');
  const seen = await eventually(async () => {
    const usage = await measure(AbortSignal.timeout(5000));
    return usage?.residentMemory === undefined ? undefined : usage;
  });
  t.ok((seen.cpuPercent ?? -1) >= 0 && (seen.residentMemory ?? -1) >= 0);
  const end = (async () => {
    let last: unknown;
    for await (const usage of one.jobs.usage(id, 'alice', AbortSignal.timeout(15_000))) last = usage;
    return last;
  })();
  await one.jobs.control(id, 'alice', 'kill');
  await t.resolves(end, 'the stream ends with the job');
  await stop(one);
});

t.test('expiry: by the server clock, from the end that is written down, only what is ours', async (t) => {
  const one = await instance({ clock: fastClock(600), options: { jobExpiryHours: 0.5 } });
  const two = await instance({ clock: fastClock(600), options: { jobExpiryHours: 0.5 } });
  const young = await admin.submit({ command: 'true' });
  const old = await admin.submit({ command: 'true' });
  const canceled = await admin.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  await admin.jobs.control(canceled, 'alice', 'cancel');
  for (const id of [young, old, canceled]) await eventually(() => annotation(id, 'result'));
  const backdate = async (id: string, minutes: number): Promise<void> => {
    const result = JSON.parse((await annotation(id, 'result')) ?? '');
    const endedAt = new Date(Date.now() - minutes * 60_000).toISOString();
    await admin.client.patch(JOBS_KIND, id, {
      metadata: { annotations: { 'job-launcher/result': JSON.stringify({ ...result, endedAt }) } },
    });
  };
  await backdate(young, 28);
  await backdate(canceled, 7 * 24 * 60);
  await backdate(old, 31);
  for (const id of [old, canceled]) {
    await eventually(async () => !(await exists(JOBS_KIND, id)));
    for (const each of [one, two]) await eventually(() => each.jobs.list('*').every((job) => job.id !== id));
  }
  await eventually(async () => (await podOf(old)) === undefined);
  t.ok(await exists(JOBS_KIND, young));
  await stop(two);
  await stop(one);

  const zero = await instance({ options: { jobExpiryHours: 0 } });
  const id = await zero.submit({ command: 'true' });
  await eventually(() => zero.told.get(id)?.at(-1) === 'Finished/Completed');
  await eventually(async () => !(await exists(JOBS_KIND, id)));
  await stop(zero);
});

t.test('pending for too long', async (t) => {
  const one = await instance({ options: { pendingTimeoutSeconds: 1 }, clock: fastClock(20) });
  const id = await admin.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  t.match(await one.until(id, terminal), {
    status: 'Canceled',
    statusMessage: /^pending for more than 1 second: 0\/1 nodes are available/,
  });
  await stop(one);
});

t.test('missing permissions switch off one feature each, named once', async (t) => {
  const documented = cluster.access.rules();
  const subject = `system:serviceaccounts:${cluster.namespace}`;
  const grant = (groups: string[], resources: string[], verbs: string[] = ['*']) => ({
    subject,
    namespace: cluster.namespace,
    verbs,
    groups,
    resources,
  });
  cluster.access.setRules([
    grant(['batch'], ['jobs']),
    grant([''], ['pods']),
    grant([''], ['pods/log', 'pods/attach']),
    { ...grant(['authorization.k8s.io'], ['*']), namespace: '*' },
  ]);
  const one = await instance();
  const warnings = (): string[] =>
    one.log
      .flatMap(({ level, fields }) =>
        level === 'notice' && typeof fields['feature'] === 'string' ? [fields['feature']] : [],
      )
      .sort();
  await eventually(() => warnings().length === 6);
  t.strictSame(warnings(), ['events', 'exec', 'nodes', 'secrets', 'services', 'usage']);
  const id = await one.submit({ command: 'cat; sleep 60', stdin: 'kept in memory\n' });
  await one.until(id, hasState('Running'));
  t.notOk(await exists(SECRETS, `${id}-stdin`));
  t.match(
    await one.jobs.network(id, 'alice'),
    { host: 'node0', ipAddresses: ['10.250.0.1'] },
    'the pod tells its host',
  );
  await t.rejects(
    one.submit({ command: 'true', exposedPorts: [{ targetPort: 1, protocol: 'TCP' }] }),
    /may not make Services/,
  );
  t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' }, 'by deletion');
  t.match(await one.until(id, terminal), { status: 'Killed', exitCode: 137 });
  t.equal(warnings().length, 6, 'each of them once');

  cluster.access.setRules(documented);
  await stop(one);
});

t.test('an injected container that never ends: the end is told at once, and the Job ends after all', async (t) => {
  cluster.injectSidecar({ name: 'aaa-proxy', image: 'busybox', command: ['/bin/sh', '-c', 'sleep 600'] });
  const one = await instance({ clock: fastClock(30) });
  const id = await admin.submit({ command: 'echo out; exit 3' });
  t.match(await one.until(id, terminal), { status: 'Finished', statusCode: 'Error', exitCode: 3 });
  t.equal(await one.output(id), 'out\n', 'the log of our container');
  await eventually(async () => (await admin.client.get(JOBS_KIND, id)).object.status?.failed);
  t.equal((await podOf(id))?.status?.reason, 'DeadlineExceeded');
  t.match(one.jobs.find(id, 'alice'), { status: 'Finished', statusCode: 'Error', exitCode: 3 });
  t.strictSame(
    one.told.get(id)?.filter((told) => told.startsWith('Finished')),
    ['Finished/Error'],
  );
  await stop(one);
});

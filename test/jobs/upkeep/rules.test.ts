/** What is due after a while is done by any instance: ends expire, what only waits is canceled, a held pod ends. */
import t from 'tap';
import { JOBS as JOBS_KIND, SERVICES } from '../../../src/kubernetes/contract.ts';
import { JOBS, PODS, SERVICES as STORED_SERVICES } from '../../cluster/api/resources.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startWorld, terminal } from '../instance.ts';

const { cluster, admin, instance, stop, annotation, exists, podOf } = await startWorld(t);

function ourJob(id: string) {
  const found = cluster.store.get(JOBS, cluster.namespace, id);
  if (found === undefined) throw new Error(`there is no Job ${id}`);
  return found;
}

/** Moves what the annotation says of the end, and what the control plane decided, into the past. */
function backdate(id: string, minutes: number, times = ['endedAt', 'recordedAt', 'lastTransitionTime']): void {
  const past = new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+Z$/, 'Z');
  cluster.store.edit(JOBS, ourJob(id), (draft) => {
    const { annotations = {} } = draft.metadata;
    const result = JSON.parse(annotations['job-launcher/result'] ?? '');
    for (const time of times) if (time in result) result[time] = past;
    draft.metadata.annotations = { ...annotations, 'job-launcher/result': JSON.stringify(result) };
    if (!times.includes('lastTransitionTime')) return;
    for (const condition of draft.status.conditions ?? []) condition.lastTransitionTime = past;
  });
}

t.test('jobs expire by the clock of the server, counted from the recorded end', async (t) => {
  const one = await instance({ clock: fastClock(600), options: { jobExpiryHours: 0.5 } });
  const two = await instance({ clock: fastClock(600), options: { jobExpiryHours: 0.5 } });
  const young = await admin.submit({ command: 'true' });
  const old = await admin.submit({ command: 'true' });
  const canceled = await admin.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  await admin.jobs.control(canceled, 'alice', 'cancel');
  for (const id of [young, old, canceled]) await eventually(() => annotation(id, 'result'));
  for (const id of [young, old]) await eventually(() => ourJob(id).status.conditions?.length);
  backdate(young, 28);
  backdate(canceled, 7 * 24 * 60);
  backdate(old, 31);
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
  await eventually(() => zero.announced.get(id)?.at(-1) === 'Finished/Completed');
  await eventually(async () => !(await exists(JOBS_KIND, id)));
  await stop(zero);
});

t.test('a node with a clock two hours behind does not expire a job an hour early', async (t) => {
  const one = await instance({ clock: fastClock(600), options: { jobExpiryHours: 1 } });
  const ended = await admin.submit({ command: 'true' });
  const canceled = await admin.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  const old = await admin.submit({ command: 'true' });
  await admin.jobs.control(canceled, 'alice', 'cancel');
  for (const id of [ended, canceled, old]) await eventually(() => annotation(id, 'result'));
  for (const id of [ended, old]) await eventually(() => ourJob(id).status.conditions?.length);
  backdate(ended, 120, ['endedAt', 'recordedAt']);
  backdate(canceled, 120, ['endedAt']);
  backdate(old, 61);
  await eventually(async () => !(await exists(JOBS_KIND, old)));
  t.ok(await exists(JOBS_KIND, ended), 'counted from the decision of the control plane');
  t.ok(await exists(JOBS_KIND, canceled), 'without a decision, counted from the time of its record');
  await stop(one);
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

t.test('pending-timeout-seconds counts from the resume of a job that another client had suspended', async (t) => {
  let laterMs = 0;
  let reads = 0;
  const one = await instance({
    options: { pendingTimeoutSeconds: 60 },
    clock: fastClock(20),
    wrap: (client) => ({
      ...client,
      serverTime: () => {
        reads++;
        const now = client.serverTime();
        return now === undefined ? undefined : now + laterMs;
      },
    }),
  });
  const id = await one.submit({ command: 'sleep 600' });
  await one.until(id, hasState('Running'));
  const hourAgo = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
  cluster.store.edit(JOBS, ourJob(id), (draft) => {
    draft.metadata.creationTimestamp = hourAgo;
    draft.status.startTime = hourAgo;
  });
  for (const pod of cluster.store.list(PODS).filter(({ metadata }) => metadata.labels?.['job-name'] === id)) {
    cluster.store.edit(PODS, pod, (draft) => {
      draft.metadata.creationTimestamp = hourAgo;
    });
  }
  const allow = cluster.denyNew('pods', 'no room');
  await admin.client.patch(JOBS_KIND, id, { spec: { suspend: true } });
  await one.until(id, ({ statusCode }) => statusCode === 'Suspended');
  await admin.client.patch(JOBS_KIND, id, { spec: { suspend: false } });
  await one.until(id, ({ statusMessage }) => statusMessage === 'no room');
  const readsBefore = reads;
  await eventually(() => reads >= readsBefore + 30);
  t.strictSame(one.announced.get(id), ['Pending/Pending', 'Running/Running', 'Pending/Suspended', 'Pending/Pending']);

  laterMs = 62_000;
  t.match(await one.until(id, terminal), {
    status: 'Canceled',
    statusMessage: 'pending for more than 1 minute: no room',
  });
  allow();
  await stop(one);
});

t.test(
  'an injected container that never ends: the final state is announced at once, and the Job ends later',
  async (t) => {
    cluster.injectSidecar({ name: 'aaa-proxy', image: 'busybox', command: ['/bin/sh', '-c', 'sleep 600'] });
    const one = await instance({ clock: fastClock(30) });
    const id = await admin.submit({ command: 'echo out; exit 3' });
    t.match(await one.until(id, terminal), { status: 'Finished', statusCode: 'Error', exitCode: 3 });
    t.equal(await one.output(id), 'out\n', 'the log of our container');
    await eventually(async () => (await admin.client.get(JOBS_KIND, id)).object.status?.failed);
    t.equal((await podOf(id))?.status?.reason, 'DeadlineExceeded');
    t.match(one.jobs.find(id, 'alice'), { status: 'Finished', statusCode: 'Error', exitCode: 3 });
    t.strictSame(
      one.announced.get(id)?.filter((told) => told.startsWith('Finished')),
      ['Finished/Error'],
    );
    await stop(one);
  },
);

t.test('a reason of fail-pending-reasons fails a Pending job at once', async (t) => {
  const one = await instance({ failPendingReasons: async () => ['InvalidImageName'] });
  const id = await admin.submit({ command: 'true', container: { image: 'NOT VALID' } });
  t.match(await one.until(id, terminal), {
    status: 'Failed',
    statusCode: 'InvalidImageName',
    statusMessage: 'image NOT VALID is not a valid image name',
  });
  t.match(JSON.parse((await annotation(id, 'result')) ?? ''), { state: 'Failed', cause: 'pending-reason' });
  t.match(ourJob(id).spec, { suspend: true, parallelism: 0 });
  await eventually(async () => (await podOf(id)) === undefined);
  await stop(one);
});

t.test('another waiting reason fails no job', async (t) => {
  let asked = 0;
  const one = await instance({
    failPendingReasons: async () => {
      asked++;
      return ['ErrImageNeverPull'];
    },
  });
  const id = await admin.submit({ command: 'true', container: { image: 'NOT VALID' } });
  await eventually(() => asked > 0);
  t.equal(one.jobs.find(id, 'alice').status, 'Pending');
  await admin.jobs.control(id, 'alice', 'cancel');
  await stop(one);
});

/** A Job, and the Service of its port, as templates of the first-party plugin create them: no label on the pod, no owner. */
async function adopt(id: string, nodePort: number): Promise<void> {
  const labels = { 'app.kubernetes.io/managed-by': 'launcher' };
  const annotations = { user: 'alice', name: id, service_ports: '[{"targetPort":8787,"protocol":"tcp"}]' };
  const containers = [{ name: 'rs-launcher-container', image: 'busybox', command: ['/bin/sleep', '600'] }];
  await admin.client.create(JOBS_KIND, {
    metadata: { name: id, labels },
    spec: { backoffLimit: 0, template: { metadata: { annotations }, spec: { restartPolicy: 'Never', containers } } },
  });
  await admin.client.create(SERVICES, {
    metadata: { name: `${id}-svc`, labels: { ...labels, 'job-name': id } },
    spec: {
      type: 'NodePort',
      selector: { 'job-name': id },
      ports: [{ port: 8787, targetPort: 8787, nodePort }],
    },
  });
}

t.test(
  'an adopted job that runs for minutes gets no second Service, and pending-timeout-seconds does not end it',
  async (t) => {
    const clock = fastClock(60);
    await adopt('session-a', 30_787);
    // Its second is over in 17 ms: it begins when the job runs.
    await admin.until('session-a', hasState('Running'));
    const one = await instance({ clock, options: { pendingTimeoutSeconds: 1 } });
    await one.until('session-a', hasState('Running'));
    const begin = clock.monotonic();
    await eventually(() => clock.monotonic() > begin + 120_000);
    t.strictSame(
      cluster.store.list(STORED_SERVICES, cluster.namespace).map(({ metadata }) => metadata.name),
      ['session-a-svc'],
    );
    t.match(one.jobs.find('session-a', 'alice'), {
      status: 'Running',
      exposedPorts: [{ targetPort: 8787, publishedPort: 30_787, protocol: 'TCP' }],
    });
    await stop(one);
  },
);

t.test('an adopted job that runs is not canceled: its pod stays', async (t) => {
  const one = await instance();
  await adopt('session-b', 30_788);
  await one.until('session-b', hasState('Running'));
  await t.rejects(one.jobs.control('session-b', 'alice', 'cancel'), { code: 'invalid-job-state' });
  t.equal((await podOf('session-b'))?.status?.phase, 'Running');
  await stop(one);
});

t.test('the Service of an adopted job is deleted after its Job, not when the Job loses its label', async (t) => {
  const id = 'session-c';
  const one = await instance();
  await adopt(id, 30_789);
  await one.until(id, hasState('Running'));
  await eventually(() => one.jobs.find(id, 'alice').exposedPorts[0]?.publishedPort === 30_789);
  const label = (value: string | null) =>
    admin.client.patch(JOBS_KIND, id, { metadata: { labels: { 'app.kubernetes.io/managed-by': value } } });
  await label(null);
  await eventually(() =>
    [one, admin].every(({ log }) =>
      log.some(({ sentence }) => sentence === 'Keeping the Service of a job that lost its label: its Job still exists'),
    ),
  );
  t.ok(await exists(SERVICES, `${id}-svc`));
  t.equal((await podOf(id))?.status?.phase, 'Running');

  await label('launcher');
  await admin.client.delete(JOBS_KIND, id, { propagationPolicy: 'Background' });
  await eventually(async () => !(await exists(SERVICES, `${id}-svc`)));
  await stop(one);
});

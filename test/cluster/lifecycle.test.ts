/** Through the API alone, a job goes from create to end as on a real cluster. */
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import { JOBS, PODS } from './api/resources.ts';
import { startCluster } from './cluster.ts';
import { lookAt } from './kubelet/processes.ts';
import { isFinishedJob } from './model.ts';
import {
  CONTAINER,
  createCaller,
  hasEnded,
  isRunning,
  JOBS_PATH,
  jobBody,
  PODS_PATH,
  until,
  untilPod,
} from './testing.ts';

const cluster = await startCluster({ speed: 20 });
const { call, stream, close } = createCaller(cluster);
t.teardown(async () => {
  await close();
  await cluster.close();
});

const execPath = (pod: string, ...command: string[]): string =>
  `${PODS_PATH}/${pod}/exec?container=${CONTAINER}&stdout=true&stderr=true${command.map((word) => `&command=${encodeURIComponent(word)}`).join('')}`;

t.test('a job that fails: output, exit code, conditions, number of watch lines', async (t) => {
  const lines: Record<string, string[]> = { pods: [], jobs: [] };
  const stop = [PODS, JOBS].map((resource) =>
    cluster.store.listen(resource, ({ type }) => lines[resource.plural]?.push(type)),
  );
  const created = await call(
    'POST',
    JOBS_PATH,
    jobBody('fails', ['/bin/sh', '-c', 'echo out; echo err >&2; sleep 0.3; exit 3']),
  );
  t.equal(created.status, 201);
  t.match(created.body, { kind: 'Job', spec: { completions: 1, suspend: false }, status: {} });
  const pod = await untilPod(cluster, 'fails', hasEnded);
  t.match(pod.status.containerStatuses?.[0]?.state?.terminated, { exitCode: 3, reason: 'Error' });
  const job = await until(cluster, JOBS, (one) => one.metadata.name === 'fails' && isFinishedJob(one));
  t.match(job.status, {
    failed: 1,
    ready: 0,
    conditions: [{ type: 'FailureTarget' }, { type: 'Failed', reason: 'BackoffLimitExceeded' }],
  });
  for (const unlisten of stop) unlisten();
  t.strictSame(lines['jobs'], ['ADDED', ...Array(5).fill('MODIFIED')], 'kubernetes-facts.md 2: 1 ADDED, 5 MODIFIED');
  t.strictSame(lines['pods'], ['ADDED', ...Array(7).fill('MODIFIED')], 'kubernetes-facts.md 2: 1 ADDED, 7 MODIFIED');
  const log = await call('GET', `${PODS_PATH}/${pod.metadata.name}/log`);
  t.equal(log.headers['content-type'], 'text/plain');
  t.strictSame(log.text.split('\n').sort(), ['', 'err', 'out']);
  t.match(cluster.journal.output(pod.metadata.uid, CONTAINER), { bytes: 8 });
});

t.test('stop: the deadline patch ends a process by TERM, pod and log stay', async (t) => {
  await call('POST', JOBS_PATH, jobBody('stopped', ['/bin/sh', '-c', 'echo started; sleep 300']));
  const { metadata } = await untilPod(cluster, 'stopped', isRunning);
  const patch = { spec: { activeDeadlineSeconds: 1 } };
  const patched = await call('PATCH', `${PODS_PATH}/${metadata.name}`, patch, {
    contentType: 'application/merge-patch+json',
  });
  t.equal(patched.status, 200);
  const pod = await untilPod(cluster, 'stopped', hasEnded);
  t.match(pod.status, {
    phase: 'Failed',
    reason: 'DeadlineExceeded',
    containerStatuses: [{ state: { terminated: { exitCode: 143, reason: 'Error' } } }],
  });
  t.equal((await call('GET', `${PODS_PATH}/${metadata.name}/log`)).text, 'started\n');
});

t.test('kill: exec of kill -KILL -1 ends the container and nothing else', async (t) => {
  await call('POST', JOBS_PATH, jobBody('bystander', ['/bin/sleep', '300']));
  await call('POST', JOBS_PATH, jobBody('killed', ['/bin/sh', '-c', 'sleep 301 & setsid sleep 302 & wait']));
  const { metadata } = await untilPod(cluster, 'killed', isRunning);
  const other = await untilPod(cluster, 'bystander', isRunning);
  const result = await stream(execPath(metadata.name, '/bin/sh', '-c', 'kill -KILL -1'));
  t.strictSame(result, {
    code: 1000,
    frames: [
      [1, ''],
      [3, '{"metadata":{},"status":"Success"}'],
    ],
  });
  const pod = await untilPod(cluster, 'killed', hasEnded);
  t.match(pod.status.containerStatuses?.[0]?.state?.terminated, { exitCode: 137, reason: 'Error' });
  t.equal(pod.status.reason, undefined);
  t.ok(
    isRunning((await call('GET', `${PODS_PATH}/${other.metadata.name}`)).body as typeof other),
    'the other job runs on',
  );
});

t.test('exec: output, exit code, a program that does not exist, refusals before the upgrade', async (t) => {
  const { metadata } = await untilPod(cluster, 'bystander', isRunning);
  const exited = await stream(execPath(metadata.name, 'sh', '-c', 'echo out; exit 4'));
  t.strictSame(exited.frames.slice(0, 2), [
    [1, ''],
    [1, 'out\n'],
  ]);
  t.match(JSON.parse(exited.frames[2]?.[1] ?? ''), {
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '4' }] },
  });
  const missing = await stream(execPath(metadata.name, '/no/such'));
  t.match(missing.frames.at(-1)?.[1], /InternalError.*stat \/no\/such: no such file or directory/);
  t.match(await stream(execPath('nope', 'ls')), { status: 404, text: /pods \\"nope\\" not found/ });
  t.match(await call('GET', execPath(metadata.name, 'ls')), {
    status: 400,
    body: { message: 'Upgrade request required' },
  });
});

t.test('the end of a container leaves a later one of another pod alone, though it has the same HOSTNAME', async (t) => {
  const same = { env: [{ name: 'HOSTNAME', value: 'twin' }] };
  await call('POST', JOBS_PATH, jobBody('first-twin', ['/bin/sh', '-c', 'sleep 300'], {}, same));
  const { metadata } = await untilPod(cluster, 'first-twin', isRunning);
  await call('POST', JOBS_PATH, jobBody('second-twin', ['/bin/sleep', '300'], {}, same));
  await untilPod(cluster, 'second-twin', isRunning);
  await stream(execPath(metadata.name, '/bin/sh', '-c', 'kill -KILL -1'));
  await untilPod(cluster, 'first-twin', hasEnded);
  await call('POST', JOBS_PATH, jobBody('after-twins', ['/bin/true']));
  await untilPod(cluster, 'after-twins', hasEnded);
  t.ok(isRunning(await untilPod(cluster, 'second-twin', () => true)));
});

t.test('a process that left the session of its container ends with it', async (t) => {
  const command = 'sh -c "setsid sleep 303 & echo \\$!"; sleep 300';
  await call('POST', JOBS_PATH, jobBody('strays', ['/bin/sh', '-c', command]));
  const { metadata } = await untilPod(cluster, 'strays', isRunning);
  const log = async (): Promise<string> => (await call('GET', `${PODS_PATH}/${metadata.name}/log`)).text;
  const stray = Number(await eventually(async () => (await log()) || undefined));
  // Until its first sleep it runs.
  t.equal(await eventually(() => lookAt(stray)?.state === 'S' && 'S'), 'S');
  await stream(execPath(metadata.name, '/bin/sh', '-c', 'kill -KILL -1'));
  await untilPod(cluster, 'strays', hasEnded);
  await eventually(() => 'ZX'.includes(lookAt(stray)?.state ?? 'X'));
});

t.test('attach: input reaches the process, the close ends it', async (t) => {
  await call('POST', JOBS_PATH, jobBody('cat', ['/bin/cat'], {}, { stdin: true, stdinOnce: true }));
  const { metadata } = await untilPod(cluster, 'cat', isRunning);
  const path = `${PODS_PATH}/${metadata.name}/attach?container=${CONTAINER}&stdin=true&stdout=true&stderr=true`;
  const result = await stream(path, { input: ['one\n', 'two', null] });
  t.equal(
    result.frames
      .filter(([channel]) => channel === 1)
      .map(([, text]) => text)
      .join(''),
    'one\ntwo',
  );
  t.strictSame(result.frames.at(-1), [3, '{"metadata":{},"status":"Success"}']);
  t.match(await untilPod(cluster, 'cat', hasEnded), { status: { phase: 'Succeeded' } });
});

t.test('a followed log ends after the container, its last line without a newline', async (t) => {
  await call(
    'POST',
    JOBS_PATH,
    jobBody('follow', ['/bin/sh', '-c', 'for i in 1 2 3; do echo line $i; sleep 0.1; done; printf rest']),
  );
  const { metadata } = await untilPod(cluster, 'follow', isRunning);
  const followed = await call('GET', `${PODS_PATH}/${metadata.name}/log?follow=true&timestamps=true`);
  t.match(followed.text, /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line \d\n){3}\S+Z rest$/);
});

t.test('start errors, images that cannot be pulled, pods that fit nowhere', async (t) => {
  await call('POST', JOBS_PATH, jobBody('nofile', ['/no/such/exe']));
  await call('POST', JOBS_PATH, jobBody('noimage', ['true'], {}, { image: 'registry.invalid/missing:1' }));
  await call('POST', JOBS_PATH, jobBody('nonode', ['true'], { nodeSelector: { disk: 'none' } }));
  const nofile = await untilPod(cluster, 'nofile', hasEnded);
  t.match(nofile.status.containerStatuses?.[0]?.state?.terminated, {
    exitCode: 128,
    reason: 'StartError',
    message: /exec: "\/no\/such\/exe": stat \/no\/such\/exe: no such file or directory$/,
    startedAt: '1970-01-01T00:00:00Z',
  });
  const waiting = await untilPod(
    cluster,
    'noimage',
    ({ status }) => status.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff',
  );
  t.match(
    waiting.status.containerStatuses?.[0]?.state?.waiting?.message,
    /^Back-off pulling image "registry.invalid\/missing:1": ErrImagePull: failed to pull/,
  );
  const unbound = await untilPod(cluster, 'nonode', ({ status }) => status.conditions?.[0]?.reason === 'Unschedulable');
  t.match(
    unbound.status.conditions?.[0]?.message,
    /^0\/1 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector\./,
  );
  t.equal((await call('GET', `${PODS_PATH}/${unbound.metadata.name}/log`)).status, 204);
  const cancel = { spec: { suspend: true, parallelism: 0 } };
  await call('PATCH', `${JOBS_PATH}/nonode`, cancel, { contentType: 'application/merge-patch+json' });
  const job = await until(
    cluster,
    JOBS,
    ({ metadata, status }) => metadata.name === 'nonode' && status.conditions?.[0]?.type === 'Suspended',
  );
  t.equal(job.status.active, undefined);
  t.equal(cluster.store.list(PODS).filter(({ metadata }) => metadata.labels?.['job-name'] === 'nonode').length, 0);
});

t.test('a NUL in a text that is handed to the operating system: StartError, and the kubelet goes on', async (t) => {
  await call('POST', JOBS_PATH, jobBody('nul', ['/bin/true'], {}, { workingDir: '/tmp/a\0b' }));
  const pod = await untilPod(cluster, 'nul', hasEnded);
  t.match(pod.status.containerStatuses?.[0]?.state?.terminated, { exitCode: 128, reason: 'StartError' });
  await call('POST', JOBS_PATH, jobBody('after-nul', ['/bin/true']));
  t.equal((await untilPod(cluster, 'after-nul', hasEnded)).status.phase, 'Succeeded');
});

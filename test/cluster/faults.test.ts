/** A fault happens to the requests it names, as often as asked; what happens to the cluster, its clients see. */
import { request as httpsRequest } from 'node:https';
import t from 'tap';
import { JOBS } from './api/resources.ts';
import { startCluster } from './cluster.ts';
import { seededRandom } from './faults/faults.ts';
import { FAULTS } from './faults/rules.ts';
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

const cluster = await startCluster({ speed: 50, nodes: 2 });
const { call, stream, close } = createCaller(cluster);
t.teardown(async () => {
  await close();
  await cluster.close();
});

/** Status, body and how it ended, of a raw request on a connection of its own. */
function raw(path: string, ms = 8000): Promise<{ status: number; text: string; end: 'clean' | 'reset' | 'silent' }> {
  return new Promise((resolve) => {
    let status = 0;
    const chunks: Buffer[] = [];
    const done = (end: 'clean' | 'reset' | 'silent'): void => {
      clearTimeout(timer);
      sent.destroy();
      resolve({ status, text: Buffer.concat(chunks).toString(), end });
    };
    const sent = httpsRequest(cluster.url + path, {
      ca: cluster.ca,
      agent: false,
      headers: { authorization: `Bearer ${cluster.currentToken()}` },
    });
    const timer = setTimeout(() => done('silent'), ms);
    sent.on('response', (response) => {
      status = response.statusCode ?? 0;
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => done('clean'));
      response.on('error', () => done('reset'));
    });
    sent.on('error', () => done('reset'));
    sent.end();
  });
}

t.test('answers instead of the real one', async (t) => {
  const expected = [
    ['unauthorized', 401, /"reason":"Unauthorized"/],
    ['transientForbidden', 403, /"reason":"Forbidden"/],
    ['tooManyRequests', 429, /^Too many requests/],
    ['internalError', 500, /InternalError/],
    ['unavailable', 503, /^error trying to reach service/],
    ['timeout', 504, /"reason":"Timeout"/],
    ['gone', 410, /"reason":"Gone"/],
    ['htmlPage', 502, /^<html>/],
    ['loginPage', 200, /^<!DOCTYPE html>/],
  ] as const;
  for (const [name, status, text] of expected) {
    const active = cluster.faults.add({ fault: FAULTS[name], path: /\/jobs/ });
    t.match(await raw(JOBS_PATH), { status, text, end: 'clean' }, name);
    t.equal(active.hits(), 1);
    t.match(await raw(JOBS_PATH), { status: 200 }, `once only: ${name}`);
  }
  t.match(cluster.journal.requests.map(({ fault }) => fault).filter(Boolean), Array(9).fill('answer'));
});

/** How long is long enough to call it silence. */
const WAITS: Readonly<Record<string, number>> = { silent: 300, stalled: 1500 };

t.test('connections that break', async (t) => {
  await call('POST', JOBS_PATH, jobBody('filler', ['true']));
  const expected = [
    ['resetBeforeWork', { status: 0, end: 'reset' }],
    ['lostAnswer', { status: 0, end: 'reset' }],
    ['resetAfterHeaders', { status: 200, text: '', end: 'reset' }],
    ['midLine', { status: 200, text: /^\{"kind":"JobList".{133}$/, end: 'reset' }],
    ['truncated', { status: 200, text: /^\{"kind":"JobList".{83}$/, end: 'clean' }],
    ['silent', { status: 0, end: 'silent' }],
    ['stalled', { status: 200, text: /^\{"kind":"JobList".{133}$/, end: 'silent' }],
    ['slow', { status: 200, text: /\}\n$/, end: 'clean' }],
  ] as const;
  for (const [name, answer] of expected) {
    cluster.faults.add({ fault: FAULTS[name], method: 'GET', path: /\/jobs$/ });
    t.match(await raw(JOBS_PATH, WAITS[name] ?? 8000), answer, name);
  }
});

t.test('a lost answer is carried out all the same: the journal knows', async (t) => {
  cluster.faults.add({ fault: FAULTS.lostAnswer, method: 'POST' });
  await t.rejects(call('POST', JOBS_PATH, jobBody('lost', ['true'])));
  t.equal(cluster.journal.created.filter(({ kind, name }) => kind === 'Job' && name === 'lost').length, 1);
  t.match(await call('POST', JOBS_PATH, jobBody('lost', ['true'])), { status: 409, body: { reason: 'AlreadyExists' } });
  t.match(
    cluster.journal.requests.findLast(({ fault }) => fault === 'resetBeforeHeaders'),
    { method: 'POST' },
  );
});

t.test('duplicate events; a chance that repeats itself', async (t) => {
  cluster.faults.add({ fault: FAULTS.duplicateEvents });
  const { text } = await call('GET', `${JOBS_PATH}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dlost`);
  const lines = text.trim().split('\n');
  t.ok(lines.length >= 2 && lines.length % 2 === 0);
  t.equal(lines[0], lines[1]);
  const numbers = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
  t.strictSame(numbers(7), numbers(7));
  t.notSame(numbers(7), numbers(8));
});

t.test('restarts of the API server: history kept, lost, and versions that went back', async (t) => {
  const version = cluster.store.revision();
  const watch = (from: number) => raw(`${JOBS_PATH}?watch=true&timeoutSeconds=1&resourceVersion=${from}`);
  await cluster.restartApi({ history: 'kept' });
  t.notMatch((await watch(version - 5)).text, /ERROR/);
  await cluster.restartApi({ history: 'lost', how: 'clean' });
  t.match(
    (await watch(version - 5)).text,
    /^\{"type":"ERROR".*"message":"too old resource version: \d+ \(\d+\)","reason":"Expired","code":410\}\}\n$/,
  );
  await cluster.restartApi({ versionsBack: 500 });
  t.equal((await watch(version)).text, '', 'a version of the future: silence');
  await cluster.stopApi();
  t.match(await raw('/version'), { end: 'reset', status: 0 });
  await cluster.startApi();
  t.match(await raw('/version'), { status: 200 });
});

t.test('token rotation, agent away, kubelet away and back', async (t) => {
  const old = cluster.currentToken();
  const token = cluster.rotateToken();
  t.match(await call('GET', JOBS_PATH, undefined, { token: old }), { status: 401, body: { message: 'Unauthorized' } });
  t.match(await call('GET', JOBS_PATH, undefined, { token }), { status: 200 });
  const admin = { token: cluster.adminToken };
  await call('POST', JOBS_PATH, jobBody('away', ['/bin/sh', '-c', 'echo one; sleep 0.2; exit 4']), admin);
  const { metadata, spec } = await untilPod(cluster, 'away', isRunning);
  const log = `${PODS_PATH}/${metadata.name}/log`;
  cluster.setAgent('away');
  t.match(await call('GET', log, undefined, admin), { status: 500, body: { message: /No agent available$/ } });
  cluster.setAgent('available');
  cluster.killKubelet(spec.nodeName);
  t.match(await call('GET', log, undefined, admin), {
    status: 500,
    body: { message: /:10250: connect: connection refused$/ },
  });
  t.match(await stream(`${PODS_PATH}/${metadata.name}/exec?command=ls&stdout=true`, { token }), { status: 500 });
  cluster.startKubelet(spec.nodeName);
  const ended = await untilPod(cluster, 'away', hasEnded);
  t.match(ended.status.containerStatuses?.[0]?.state?.terminated, { exitCode: 4 });
});

t.test('a node that goes away takes its pods along; an evicted pod says why', async (t) => {
  const admin = { token: cluster.adminToken };
  await call('POST', JOBS_PATH, jobBody('evicted', ['/bin/sleep', '300']), admin);
  const evicted = await untilPod(cluster, 'evicted', isRunning);
  cluster.evictPod(evicted.metadata.name);
  t.match((await untilPod(cluster, 'evicted', hasEnded)).status, {
    phase: 'Failed',
    reason: 'Evicted',
    message: 'The node was low on resource: memory.',
  });
  await call(
    'POST',
    JOBS_PATH,
    jobBody('orphan', ['/bin/sleep', '300'], { nodeSelector: { 'kubernetes.io/hostname': 'node1' } }),
    admin,
  );
  const pod = await untilPod(cluster, 'orphan', isRunning);
  await cluster.removeNode('node1');
  const job = await until(cluster, JOBS, ({ metadata, status }) => metadata.name === 'orphan' && status.failed === 1);
  t.match(job.status.conditions?.[0], { type: 'FailureTarget', reason: 'BackoffLimitExceeded' });
  t.match(
    cluster.journal.processes.find(({ podUid }) => podUid === pod.metadata.uid),
    { exitCode: 137 },
  );
});

t.test('an injected sidecar holds the pod; a webhook denies; a namespace ends', async (t) => {
  const admin = { token: cluster.adminToken };
  cluster.injectSidecar({
    name: 'istio-proxy',
    image: 'proxy:1',
    command: ['/bin/sleep', '300'],
    imagePullPolicy: 'IfNotPresent',
  });
  await call('POST', JOBS_PATH, jobBody('meshed', ['/bin/sh', '-c', 'exit 3']), admin);
  const pod = await untilPod(
    cluster,
    'meshed',
    ({ status }) => status.containerStatuses?.[1]?.state?.terminated !== undefined,
  );
  t.match(
    pod.status.containerStatuses?.map(({ name }) => name),
    ['istio-proxy', CONTAINER],
    'sorted by name',
  );
  t.equal(pod.status.phase, 'Running');
  t.match(await call('GET', `${PODS_PATH}/${pod.metadata.name}/log`, undefined, admin), {
    status: 400,
    body: {
      message: `a container name must be specified for pod ${pod.metadata.name}, choose one of: [istio-proxy ${CONTAINER}]`,
    },
  });
  const allow = cluster.denyNew('jobs', 'admission webhook "x" denied the request: no');
  t.match(await call('POST', JOBS_PATH, jobBody('denied', ['true']), admin), {
    status: 403,
    body: { message: 'jobs.batch "denied" is forbidden: admission webhook "x" denied the request: no' },
  });
  allow();
  cluster.terminateNamespace('rstudio');
  t.match(await call('POST', JOBS_PATH, jobBody('late', ['true']), admin), {
    status: 403,
    body: { message: /unable to create new content in namespace rstudio because it is being terminated$/ },
  });
});

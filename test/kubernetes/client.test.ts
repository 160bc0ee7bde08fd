import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import t, { type Test } from 'tap';
import type { ClientOptions } from '../../src/kubernetes/client.ts';
import { createClient } from '../../src/kubernetes/client.ts';
import { EVENTS, JOBS, NODES, PODS, SECRETS } from '../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../src/kubernetes/errors.ts';
import { systemRoots, tlsSettings } from '../../src/kubernetes/tls.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { createIdentity } from '../cluster/authority.ts';
import { apiServer, clientOf, type Exchange, recordingLog, Signal, status } from './server.ts';

const JOB: Job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'job-1', annotations: { submission: 's-1' } },
};
const isOurs = (stored: Job): boolean => stored.metadata?.annotations?.['submission'] === 's-1';

type Step = (exchange: Exchange) => void;

/** A server that does one step for each request; and what it was asked. */
async function scripted(t: Test, steps: readonly Step[], options: Partial<ClientOptions> = {}) {
  const requests: string[] = [];
  const bodies: unknown[] = [];
  const exchanges: Exchange[] = [];
  const server = await apiServer(t, (exchange) => {
    exchanges.push(exchange);
    requests.push(`${exchange.request.method} ${exchange.request.url}`);
    bodies.push(exchange.body === '' ? undefined : JSON.parse(exchange.body));
    const step = steps[requests.length - 1];
    if (step) step(exchange);
    else exchange.answer(500, status(500, 'BUG', 'no step left'));
  });
  return { client: clientOf(t, server.url, options), requests, bodies, exchanges, server };
}

const ok =
  (object: unknown, headers: Record<string, string> = {}): Step =>
  (exchange) =>
    exchange.answer(200, object, headers);
const refuse =
  (code: number, reason: string, message: string, headers: Record<string, string> = {}): Step =>
  (exchange) =>
    exchange.answer(code, status(code, reason, message), headers);
const lose: Step = ({ response }) => void response.socket?.destroy();
const freeze: Step = () => {};

const failure = async (promise: Promise<unknown>): Promise<KubernetesError> => {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof KubernetesError) return error;
  throw error;
};

t.test('get: what is sent, and what is told of the answer', async (t) => {
  const { client, requests, exchanges } = await scripted(t, [
    ({ response }) => {
      response.setHeader('date', 'Mon, 23 Nov 2026 10:00:00 GMT');
      response.appendHeader('warning', '299 - "unknown field \\"spec.bogus\\"", 299 - "second"');
      response.appendHeader('warning', '299 - "third, with a comma"');
      response.end(JSON.stringify(JOB));
    },
  ]);
  t.equal(client.serverTime(), undefined);
  t.strictSame(await client.get(JOBS, 'job-1'), {
    object: JOB,
    warnings: ['unknown field "spec.bogus"', 'second', 'third, with a comma'],
    date: Date.UTC(2026, 10, 23, 10),
  });
  const ahead = (client.serverTime() ?? 0) - Date.UTC(2026, 10, 23, 10);
  t.ok(ahead >= 0 && ahead < 1_000, 'the clock of the server goes on');
  t.strictSame(requests, ['GET /apis/batch/v1/namespaces/rstudio/jobs/job-1']);
  const headers = exchanges[0]?.request.headers;
  t.equal(headers?.authorization, 'Bearer token-1');
  t.equal(headers?.accept, 'application/json');
  t.equal(headers?.['user-agent'], 'rstudio-kubernetes-launcher');
  t.equal(exchanges[0]?.request.httpVersion, '1.1');
});

t.test('names never become paths by themselves', async (t) => {
  const { client, requests } = await scripted(t, []);
  for (const name of [
    '..',
    '%2e%2e',
    'a/b',
    'a?b',
    'a#b',
    'a\r\nx: y',
    'A',
    '',
    '.',
    'a..b',
    '-a',
    'a-',
    'a'.repeat(254),
  ]) {
    const refused = { name: 'TypeError', message: /not a Kubernetes name/ };
    t.throws(() => client.get(JOBS, name), refused, JSON.stringify(name));
    t.throws(() => client.patch(JOBS, name, {}), refused);
    await t.rejects(async () => client.delete(JOBS, name, { propagationPolicy: 'Background' }), refused);
    await t.rejects(async () => client.exec(name, 'c', ['x']), refused);
    await t.rejects(async () => client.attachInput(name, 'c', Buffer.alloc(0)), refused);
  }
  t.strictSame(requests, []);
});

t.test('a path prefix, and addresses of IPv6', async (t) => {
  const paths: string[] = [];
  const server = await apiServer(
    t,
    ({ request, answer }) => {
      paths.push(request.url ?? '');
      answer(200, { major: '1', minor: '25+', gitVersion: 'v1.25.3-eks' });
    },
    { host: '::1' },
  );
  for (const prefix of ['', '/', '/k8s/clusters/c-m-abc', '/k8s/clusters/c-m-abc/']) {
    const client = clientOf(t, server.url + prefix);
    t.strictSame(await client.version(), { major: 1, minor: 25, gitVersion: 'v1.25.3-eks' });
  }
  t.strictSame(paths, ['/version', '/version', '/k8s/clusters/c-m-abc/version', '/k8s/clusters/c-m-abc/version']);
});

t.test('a change that is refused after a lost answer may have been made', async (t) => {
  const expired = refuse(401, 'Unauthorized', 'Unauthorized');
  const lost = async (...steps: Parameters<typeof scripted>[1]) => (await scripted(t, steps)).client;
  const background = { propagationPolicy: 'Background' } as const;
  const removed = await failure((await lost(lose, expired)).delete(PODS, 'pod-1', background));
  t.equal(removed.code, 'interrupted');
  t.equal(removed.status, undefined, 'it is no answer to the change');
  t.match(removed.text, /^an attempt whose answer was lost may have been carried out; the next one was refused: /);
  const patched = await failure((await lost(lose, expired)).patch(PODS, 'pod-1', {}));
  t.equal(patched.code, 'interrupted');
  t.equal(
    (await failure((await lost(expired)).delete(PODS, 'pod-1', background))).code,
    'unauthorized',
    'nothing was lost',
  );
  t.equal((await failure((await lost(lose, expired)).get(PODS, 'pod-1'))).code, 'unauthorized', 'nothing was changed');
  const gone = refuse(404, 'NotFound', 'pods "pod-1" not found');
  t.equal(await (await lost(lose, gone)).delete(PODS, 'pod-1', background), false, 'it is as it should be');
});

t.test('create: a lost answer is retried with the same name, and our own object counts as success', async (t) => {
  const exists = refuse(409, 'AlreadyExists', 'jobs.batch "job-1" already exists');
  const { client, requests, bodies } = await scripted(t, [lose, refuse(500, 'InternalError', 'etcd'), exists, ok(JOB)]);
  t.strictSame((await client.create(JOBS, JOB, { isOurs })).object, JOB);
  t.strictSame(requests, [
    ...Array(3).fill('POST /apis/batch/v1/namespaces/rstudio/jobs?fieldValidation=Warn'),
    'GET /apis/batch/v1/namespaces/rstudio/jobs/job-1',
  ]);
  t.strictSame(bodies.slice(0, 3), [JOB, JOB, JOB]);

  const unknown = await scripted(t, [lose, exists, refuse(401, 'Unauthorized', 'Unauthorized')]);
  t.equal((await failure(unknown.client.create(JOBS, JOB, { isOurs }))).code, 'interrupted', 'it may be ours');
  const vanished = await scripted(t, [lose, exists, refuse(404, 'NotFound', 'jobs.batch "job-1" not found')]);
  t.equal((await failure(vanished.client.create(JOBS, JOB, { isOurs }))).code, 'already-exists');
  const quota = refuse(403, 'Forbidden', 'jobs.batch "job-1" is forbidden: exceeded quota: q');
  const unclear = await scripted(t, [lose, quota]);
  const error = await failure(unclear.client.create(JOBS, JOB, { isOurs }));
  t.equal(error.code, 'interrupted', 'the first attempt may have made it');
  t.match(error.text, /exceeded quota: q$/);
  const clear = await scripted(t, [refuse(429, 'TooManyRequests', 'busy'), quota]);
  t.equal((await failure(clear.client.create(JOBS, JOB, { isOurs }))).code, 'forbidden', 'no attempt was carried out');

  const foreign = { ...JOB, metadata: { name: 'job-1' } };
  const other = await scripted(t, [exists, ok(foreign)]);
  t.equal((await failure(other.client.create(JOBS, JOB, { isOurs }))).code, 'already-exists');
  const plain = await scripted(t, [exists]);
  t.equal((await failure(plain.client.create(JOBS, JOB))).code, 'already-exists');
  const lost = await scripted(t, [lose]);
  t.equal(
    (await failure(lost.client.create(JOBS, JOB))).code,
    'unreachable',
    'nobody could tell whose object it is: not retried',
  );
  const dry = await scripted(t, [ok(JOB)]);
  await dry.client.create(JOBS, JOB, { dryRun: true, fieldValidation: 'Strict' });
  t.strictSame(dry.requests, ['POST /apis/batch/v1/namespaces/rstudio/jobs?dryRun=All&fieldValidation=Strict']);
});

t.test('a connection that was refused is tried again, whatever it was for', async (t) => {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await new Promise((resolve) => probe.close(resolve));
  const log = recordingLog();
  const client = clientOf(t, `http://127.0.0.1:${port}`, {}, log);
  const refused = await failure(client.get(JOBS, 'job-1', { timeoutMs: 500 }));
  t.equal(refused.code, 'timeout');
  t.match(
    refused.message,
    /before that: The Kubernetes API server cannot be reached: http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/,
  );
  const creating = client.create(JOBS, JOB);
  await apiServer(t, ({ answer }) => answer(201, JOB), { port });
  t.strictSame((await creating).object, JOB);
});

t.test('patch and delete', async (t) => {
  const { client, requests, bodies, exchanges } = await scripted(t, [
    lose,
    ok(JOB),
    refuse(
      409,
      'Conflict',
      'the object has been modified; please apply your changes to the latest version and try again',
    ),
    ok({ kind: 'Status', status: 'Success' }),
    refuse(404, 'NotFound', 'jobs.batch "job-1" not found'),
    refuse(409, 'Conflict', 'Precondition failed: UID in precondition: x, UID in object meta: y'),
  ]);
  t.strictSame((await client.patch(JOBS, 'job-1', { spec: { suspend: true } })).object, JOB);
  t.equal(exchanges[1]?.request.headers['content-type'], 'application/merge-patch+json');
  t.strictSame(bodies[1], { spec: { suspend: true } });
  t.equal((await failure(client.patch(JOBS, 'job-1', { metadata: { resourceVersion: '5' } }))).code, 'conflict');
  t.equal(
    await client.delete(JOBS, 'job-1', { propagationPolicy: 'Background', uid: 'u-1', gracePeriodSeconds: 0 }),
    true,
  );
  t.strictSame(bodies[3], {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Background',
    gracePeriodSeconds: 0,
    preconditions: { uid: 'u-1' },
  });
  t.equal(
    await client.delete(SECRETS, 'job-1-stdin', { propagationPolicy: 'Background' }),
    false,
    'already so is success',
  );
  t.strictSame(bodies[4], { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' });
  t.equal((await failure(client.delete(PODS, 'p', { propagationPolicy: 'Background', uid: 'x' }))).code, 'conflict');
  t.equal(requests[4], 'DELETE /api/v1/namespaces/rstudio/secrets/job-1-stdin');
});

t.test('list: pages, selectors, cluster-wide kinds, an expired token', async (t) => {
  const page = (version: string, names: readonly string[], next?: string): Step =>
    ok({
      kind: 'List',
      metadata: { resourceVersion: version, continue: next },
      items: names.map((name) => ({ metadata: { name } })),
    });
  const { client, requests } = await scripted(
    t,
    [
      page('10', ['a', 'b'], 'n1'),
      refuse(410, 'Expired', 'The provided continue parameter is too old'),
      page('20', ['b', 'c'], 'n2'),
      page('20', ['d']),
      page('30', ['node0']),
      ok({ kind: 'Status' }),
    ],
    { fetchLimit: 2 },
  );
  const { items, resourceVersion } = await client.list(EVENTS, { fieldSelector: 'reason!=Pulled' });
  t.strictSame(
    items.map(({ metadata }) => metadata?.name),
    ['b', 'c', 'd'],
  );
  t.equal(resourceVersion, '20');
  t.equal((await client.list(NODES)).items.length, 1);
  t.equal((await failure(client.list(PODS))).code, 'bad-answer');
  t.strictSame(requests, [
    'GET /api/v1/namespaces/rstudio/events?fieldSelector=reason!%3DPulled&limit=2',
    'GET /api/v1/namespaces/rstudio/events?fieldSelector=reason!%3DPulled&limit=2&continue=n1',
    'GET /api/v1/namespaces/rstudio/events?fieldSelector=reason!%3DPulled&limit=2',
    'GET /api/v1/namespaces/rstudio/events?fieldSelector=reason!%3DPulled&limit=2&continue=n2',
    'GET /api/v1/nodes?limit=2',
    'GET /api/v1/namespaces/rstudio/pods?limit=2',
  ]);
});

t.test('permissions are asked for', async (t) => {
  const { client, requests, bodies } = await scripted(t, [
    ok({ status: { allowed: true, reason: 'RBAC' } }),
    ok({ status: { allowed: false } }),
    ok({ status: { allowed: true } }),
  ]);
  t.equal(await client.allowed({ verb: 'create', group: '', resource: 'pods', subresource: 'exec' }), true);
  t.equal(await client.allowed({ verb: 'list', group: '', resource: 'nodes' }), false);
  t.equal(await client.allowed({ verb: 'get', group: 'batch', resource: 'jobs', namespace: 'other', name: 'x' }), true);
  t.equal(requests[0], 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews');
  t.strictSame(bodies, [
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: { namespace: 'rstudio', verb: 'create', group: '', resource: 'pods', subresource: 'exec' },
      },
    },
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: '', verb: 'list', group: '', resource: 'nodes' } },
    },
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: 'other', verb: 'get', group: 'batch', resource: 'jobs', name: 'x' } },
    },
  ]);
});

t.test('what is tried again, and what is not', async (t) => {
  const unauthorized = refuse(
    403,
    'Forbidden',
    'jobs.batch is forbidden: User "system:serviceaccount:rstudio:job-launcher" cannot get resource "jobs"',
  );
  const starting = await scripted(t, [unauthorized, ok(JOB)]);
  await starting.client.get(JOBS, 'job-1');
  t.equal(starting.requests.length, 2, 'a server that has just started refuses valid tokens for a moment');
  const twice = await scripted(t, [unauthorized, unauthorized]);
  t.equal((await failure(twice.client.get(JOBS, 'job-1'))).code, 'forbidden');
  const quota = await scripted(t, [
    refuse(403, 'Forbidden', 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'),
  ]);
  t.equal((await failure(quota.client.create(JOBS, JOB, { isOurs }))).code, 'forbidden');
  t.equal(quota.requests.length, 1, 'a full quota is an answer');
  const invalid = await scripted(t, [refuse(422, 'Invalid', 'spec.template: Required value')]);
  t.equal((await failure(invalid.client.create(JOBS, JOB, { isOurs }))).code, 'invalid');

  const webhook = refuse(500, 'InternalError', 'Internal error occurred: failed calling webhook "x"');
  const broken = await scripted(t, Array(10).fill(webhook));
  t.equal((await failure(broken.client.create(JOBS, JOB, { isOurs }))).code, 'server-error');
  t.equal(broken.requests.length, 6, 'a 500 that stays is told before the time is over');

  const began = performance.now();
  const busy = await scripted(t, [
    ({ response }) =>
      void response.writeHead(429, { 'retry-after': '1' }).end('Too many requests, please try again later.'),
    ok(JOB),
  ]);
  await busy.client.create(JOBS, JOB);
  t.ok(performance.now() - began >= 990, 'Retry-After');
});

t.test(
  'deadlines: a frozen connection leaves time for another, a frozen body ends, a signal ends everything',
  async (t) => {
    const half = await scripted(t, [freeze, ok(JOB)], { requestTimeoutMs: 2_500 });
    await half.client.get(JOBS, 'job-1');
    t.equal(half.requests.length, 2);

    const body = await scripted(t, [
      ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"metadata":');
      },
    ]);
    const error = await failure(body.client.get(JOBS, 'job-1', { timeoutMs: 80 }));
    t.equal(error.code, 'timeout');
    t.equal(
      error.message,
      'The Kubernetes API server did not answer in time: 0.08 s [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1]',
    );

    const asked = new Signal();
    const left = await scripted(t, [() => asked.give()]);
    const leaving = new AbortController();
    const pending = left.client.get(JOBS, 'job-1', { signal: leaving.signal });
    await asked.promise;
    leaving.abort(new Error('no longer wanted'));
    await t.rejects(pending, { message: 'no longer wanted' });
    await t.rejects(left.client.get(JOBS, 'job-1', { signal: leaving.signal }), { message: 'no longer wanted' });
    t.equal(left.requests.length, 1);
  },
);

t.test('answers that are none of Kubernetes', async (t) => {
  const cut = await scripted(t, [
    ({ response }) => void response.setHeader('content-type', 'application/json').end('{"metadata":{"na'),
    ok(JOB),
  ]);
  t.strictSame((await cut.client.get(JOBS, 'job-1')).object, JOB, 'JSON that was cut on its way is asked for again');
  const { client, requests } = await scripted(t, [
    ({ response }) => void response.writeHead(302, { location: 'http://127.0.0.1:1/login' }).end(),
    ({ response }) => void response.end('<html>Welcome</html>'),
    ok({ hello: 'world' }),
    ({ response }) => void response.writeHead(404).end('404 page not found\n'),
  ]);
  const redirect = await failure(client.get(JOBS, 'job-1'));
  t.equal(redirect.code, 'redirected');
  t.match(redirect.message, /does api-url name the API server itself\?/);
  t.equal(requests.length, 1, 'it is not followed');
  t.equal((await failure(client.get(JOBS, 'job-1'))).code, 'bad-answer');
  t.equal((await failure(client.version())).code, 'bad-answer');
  t.equal(
    (await failure(client.get(JOBS, 'job-1'))).message,
    'Kubernetes does not find it: 404 page not found [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1: 404]',
  );
});

t.test('a few connections for calls, kept; as many for streams as there are streams', async (t) => {
  let most = 0;
  const server = await apiServer(t, async ({ url, answer, response }) => {
    most = Math.max(most, server.sockets.size);
    if (!url.pathname.endsWith('/log')) {
      await new Promise(setImmediate);
      answer(200, JOB);
      return;
    }
    response.writeHead(200);
    response.write('2026-11-23T10:00:00.000000000Z line\n');
  });
  const client = clientOf(t, server.url);
  await Promise.all(Array.from({ length: 200 }, () => client.get(JOBS, 'job-1')));
  t.ok(most <= 64, `${most} connections for 200 calls`);
  const stopping = new AbortController();
  const never = new AbortController().signal;
  const streams = Array.from({ length: 40 }, (_, i) =>
    client.followLog({ pod: `p${i}`, container: 'c', ended: never }, stopping.signal)[Symbol.asyncIterator](),
  );
  await Promise.all(streams.map((stream) => stream.next()));
  t.ok(server.sockets.size >= 40);
  await client.get(JOBS, 'job-1');
  stopping.abort(new Error('enough'));
  for (const stream of streams) await t.rejects(stream.next(), { message: 'enough' });
  await client.close();
  while (server.sockets.size > 0) await new Promise(setImmediate);
});

t.test('a token file is read again when it changes, and after a 401', async (t) => {
  const directory = t.testdir({});
  const path = `${directory}/token`;
  let accepted = 'first';
  let requests = 0;
  const server = await apiServer(t, ({ request, answer }) => {
    requests++;
    if (request.headers.authorization === `Bearer ${accepted}`) answer(200, JOB);
    else answer(401, { kind: 'Status', status: 'Failure', message: 'Unauthorized', reason: 'Unauthorized', code: 401 });
  });
  const log = recordingLog();
  const client = clientOf(t, server.url, { credentials: { kind: 'token-file', path } }, log);
  const missing = await failure(client.get(JOBS, 'job-1'));
  t.equal(missing.code, 'credentials');
  t.match(missing.message, `The token for Kubernetes cannot be read: ENOENT`);
  writeFileSync(path, 'first\n');
  await client.get(JOBS, 'job-1');
  t.equal(requests, 1);

  accepted = 'second-token';
  writeFileSync(`${path}.new`, 'second-token');
  renameSync(`${path}.new`, path);
  await client.get(JOBS, 'job-1');
  t.equal(requests, 2, 'known before it is asked');

  accepted = 'third-token-';
  const again = await failure(client.get(JOBS, 'job-1'));
  t.equal(again.code, 'unauthorized');
  t.equal(requests, 3, 'the same token is not tried twice');
  t.notMatch(again.message, /second-token/);

  writeFileSync(path, 'third-token-');
  rmSync(path);
  accepted = 'second-token';
  await client.get(JOBS, 'job-1');
  await client.get(JOBS, 'job-1');
  t.equal(log.lines.filter(({ level }) => level === 'WARNING').length, 1, 'while it is gone, the last one is used');

  writeFileSync(path, 'with\u0007control');
  const fresh = clientOf(t, server.url, { credentials: { kind: 'token-file', path } });
  const bad = await failure(fresh.get(JOBS, 'job-1'));
  t.equal(bad.code, 'credentials');
  t.notMatch(String(bad.message) + String(bad.cause), 'with');
  t.throws(() => clientOf(t, server.url, { credentials: { kind: 'token', token: 'a b' } }), { message: /blanks/ });
});

t.test('a server that sends back what it got: neither token nor bodies are told', async (t) => {
  const { client } = await scripted(t, [
    ({ request, response }) => response.writeHead(400).end(`authorization: ${request.headers.authorization}`),
    ({ request, answer }) => answer(403, status(403, 'Forbidden', `no rights: ${request.headers.authorization}`)),
    ({ request, answer }) => answer(200, JOB, { warning: `299 - "${request.headers.authorization} expires soon"` }),
    ({ body, response }) => response.writeHead(400).end(`cannot read: ${body}`),
    ({ response }) => response.writeHead(200, { 'content-type': 'text/html' }).end('hunter2'),
  ]);
  t.equal((await failure(client.get(JOBS, 'job-1'))).text, 'authorization: Bearer ***');
  t.equal((await failure(client.get(JOBS, 'job-1'))).text, 'no rights: Bearer ***');
  t.strictSame((await client.get(JOBS, 'job-1')).warnings, ['Bearer *** expires soon']);
  t.equal((await failure(client.create(JOBS, JOB))).text, 'cannot read:');
  const page = await failure(client.get(JOBS, 'job-1'));
  t.strictSame([page.text, page.cause], ['7 characters that are not JSON', undefined]);
});

t.test('a token that is replaced between two looks: the 401 leads to the new one', async (t) => {
  const directory = t.testdir({ token: 'old' });
  const path = `${directory}/token`;
  const seen: string[] = [];
  const server = await apiServer(t, ({ request, answer }) => {
    seen.push(String(request.headers.authorization));
    writeFileSync(path, 'new-one');
    if (seen.length === 1) answer(401, status(401, 'Unauthorized', 'Unauthorized'));
    else answer(200, JOB);
  });
  await clientOf(t, server.url, { credentials: { kind: 'token-file', path } }).get(JOBS, 'job-1');
  t.strictSame(seen, ['Bearer old', 'Bearer new-one']);
});

t.test('without a token there is no Authorization header', async (t) => {
  const server = await apiServer(t, ({ request, answer }) => answer(200, { headers: Object.keys(request.headers) }));
  const { object } = await clientOf(t, server.url, { credentials: { kind: 'none' } }).get(JOBS, 'job-1');
  t.notOk(JSON.stringify(object).includes('authorization'));
});

t.test('TLS: authority, names, addresses, the verify toggle', async (t) => {
  const identity = await createIdentity(['localhost', '127.0.0.1', '::1']);
  const named = await createIdentity(['somewhere.else']);
  const serve: Step = ({ answer }) => answer(200, JOB);
  const v4 = await apiServer(t, serve, { identity });
  const v6 = await apiServer(t, serve, { identity, host: '::1' });
  const elsewhere = await apiServer(t, serve, { identity: named });
  const trusting = { tls: { ca: identity.ca, verify: true } };
  for (const url of [v4.url, v6.url, `https://localhost:${v4.port}`]) {
    t.strictSame((await clientOf(t, url, trusting).get(JOBS, 'job-1')).object, JOB, url);
  }
  const unknown = await failure(clientOf(t, v4.url).get(JOBS, 'job-1'));
  t.equal(unknown.code, 'tls', 'the system does not know this authority');
  t.match(
    unknown.message,
    'unable to verify the first certificate [GET ',
    'without advice on the command line of Node',
  );
  t.match((unknown.cause as Error).message, /^unable to verify the first certificate$/);
  t.match(unknown.message, /There is no secure connection to the Kubernetes API server: https:\/\/127\.0\.0\.1/);
  const other = await failure(clientOf(t, elsewhere.url, { tls: { ca: named.ca, verify: true } }).get(JOBS, 'job-1'));
  t.equal(other.code, 'tls', 'its certificate is for another name');
  t.equal(other.reason, 'ERR_TLS_CERT_ALTNAME_INVALID');
  t.equal((await failure(clientOf(t, v4.url, { tls: { ca: named.ca, verify: true } }).get(JOBS, 'job-1'))).code, 'tls');
  t.strictSame((await clientOf(t, elsewhere.url, { tls: { verify: false } }).get(JOBS, 'job-1')).object, JOB);
  const plain = await apiServer(t, serve);
  t.equal(
    (await failure(clientOf(t, plain.url.replace('http', 'https')).get(JOBS, 'job-1'))).code,
    'tls',
    'no TLS there',
  );
});

t.test('the certificates that a host trusts', async (t) => {
  const { ca } = await createIdentity(['x']);
  const directory = t.testdir({ 'empty.pem': '\n', 'second.pem': ca, 'third.pem': 'not read' });
  mkdirSync(`${directory}/dir`);
  const paths = ['missing.pem', 'empty.pem', 'second.pem', 'third.pem'].map((name) => `${directory}/${name}`);
  t.equal(systemRoots(paths), ca);
  t.match(
    systemRoots([`${directory}/missing.pem`]),
    /^-----BEGIN CERTIFICATE-----/,
    'those of the runtime, if the host has none',
  );
  t.throws(() => tlsSettings({ ca: 'this is no certificate', verify: true }), { message: /no PEM certificate/ });
});

t.test('options are checked at once', async (t) => {
  const make = (options: Partial<ClientOptions>) => () =>
    createClient(
      {
        apiUrl: 'http://127.0.0.1:1',
        credentials: { kind: 'none' },
        tls: { verify: true },
        namespace: 'rstudio',
        fetchLimit: 0,
        watchTimeoutSeconds: 0,
        requestTimeoutMs: 1000,
        ...options,
      },
      { clock: systemClock, random: Math.random, log: silentLog },
    );
  t.throws(make({ namespace: '../kube-system' }), { message: /not a namespace/ });
  t.throws(make({ apiUrl: 'ftp://127.0.0.1' }), { message: /http or https/ });
  t.throws(make({ apiUrl: 'https://user:secret@127.0.0.1' }), { message: /user info/ });
  t.throws(make({ apiUrl: 'https://127.0.0.1/?x=1' }), { message: /a query/ });
});

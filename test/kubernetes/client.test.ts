/** Each call of the client is one request, and its result is the answer of the server. */
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import t from 'tap';
import type { ClientOptions } from '../../src/kubernetes/client.ts';
import { createClient } from '../../src/kubernetes/client.ts';
import { EVENTS, JOBS, NODES, PODS, SECRETS } from '../../src/kubernetes/contract.ts';
import { warningMessages } from '../../src/kubernetes/http/transport.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { createIdentity } from '../cluster/authority.ts';
import { eventually } from '../support/eventually.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { apiServer, clientOf, failure, JOB, lose, ok, refuses, type Step, scripted } from './server.ts';

const JOB_PATHS = '/apis/batch/v1/namespaces/rstudio/jobs';

t.test('get sends one request with token, Accept and User-Agent over HTTP/1.1', async (t) => {
  const { client, requests, exchanges } = await scripted(t, [ok(JOB)]);
  await client.get(JOBS, 'job-1');
  t.strictSame(requests, [`GET ${JOB_PATHS}/job-1`]);
  const { headers, httpVersion } = exchanges[0]?.request ?? {};
  t.match(headers, {
    authorization: 'Bearer token-1',
    accept: 'application/json',
    'user-agent': 'rstudio-kubernetes-launcher',
  });
  t.equal(httpVersion, '1.1');
});

t.test('the version is read while all places for calls are taken: the server answers', async (t) => {
  let open = 0;
  const server = await apiServer(t, ({ url, answer }) => {
    if (url.pathname === '/version') answer(200, { major: '1', minor: '36', gitVersion: 'v1.36.2' });
    else open++;
  });
  const client = clientOf(t, server.url, { requestTimeoutMs: 60_000 });
  const ending = new AbortController();
  const calls = Array.from({ length: 65 }, () => client.get(JOBS, 'job-1', { signal: ending.signal }));
  t.ok(await eventually(() => open === 64));
  t.strictSame(await client.version(), { major: 1, minor: 36, gitVersion: 'v1.36.2' });
  ending.abort(new Error('the test ends'));
  const ends = await Promise.allSettled(calls);
  t.equal(ends.filter(({ status }) => status === 'rejected').length, 65);
  t.equal(open, 64);
});

t.test('get returns the object, the warnings and the date of the answer', async (t) => {
  const { client } = await scripted(t, [
    ({ response }) => {
      response.setHeader('date', 'Mon, 23 Nov 2026 10:00:00 GMT');
      response.appendHeader('warning', '299 - "unknown field \\"spec.bogus\\"", 299 - "second"');
      response.appendHeader('warning', '299 - "third, with a comma"');
      response.end(JSON.stringify(JOB));
    },
  ]);
  t.strictSame(await client.get(JOBS, 'job-1'), {
    object: JOB,
    warnings: ['unknown field "spec.bogus"', 'second', 'third, with a comma'],
    date: Date.UTC(2026, 10, 23, 10),
  });
});

t.test('the time of the server is unknown before the first answer, and advances after it', async (t) => {
  const clock = fakeClock();
  const server = await apiServer(t, ({ response }) => {
    response.setHeader('date', 'Mon, 23 Nov 2026 10:00:00 GMT');
    response.end(JSON.stringify(JOB));
  });
  const client = clientOf(t, server.url, {}, silentLog, clock);
  t.equal(client.serverTime(), undefined);
  await client.get(JOBS, 'job-1');
  clock.advance(1_500);
  t.equal(client.serverTime(), Date.UTC(2026, 10, 23, 10, 0, 1, 500));
});

t.test('the date of a refusal is ignored, because it may be that of a proxy', async (t) => {
  const { client } = await scripted(t, [
    ({ response }) => void response.writeHead(404, { date: 'Sat, 23 Nov 2069 10:00:00 GMT' }).end(),
  ]);
  t.equal((await failure(client.get(JOBS, 'job-2'))).code, 'not-found');
  t.equal(client.serverTime(), undefined);
});

t.test('messages of Warning headers', async (t) => {
  t.strictSame(warningMessages('299 - "unknown field \\"spec.bogus\\""'), ['unknown field "spec.bogus"']);
  t.strictSame(warningMessages('299 - "a, b", 299 kube "c"'), ['a, b', 'c']);
  t.strictSame(warningMessages('nonsense'), []);
});

t.test('patch sends a merge patch, and again after a lost connection', async (t) => {
  const { client, requests, bodies, exchanges } = await scripted(t, [lose, ok(JOB)]);
  t.strictSame((await client.patch(JOBS, 'job-1', { spec: { suspend: true } })).object, JOB);
  t.strictSame(requests, Array(2).fill(`PATCH ${JOB_PATHS}/job-1?fieldValidation=Warn`));
  t.equal(exchanges[1]?.request.headers['content-type'], 'application/merge-patch+json');
  t.strictSame(bodies[1], { spec: { suspend: true } });
});

t.test('a patch of a changed object is a conflict', async (t) => {
  const message = 'the object has been modified; please apply your changes to the latest version and try again';
  const { client } = await scripted(t, [refuses(409, 'Conflict', message)]);
  const patch = client.patch(JOBS, 'job-1', { metadata: { resourceVersion: '5' } });
  t.match(await failure(patch), { code: 'conflict', text: message });
});

t.test('delete sends its options as the body', async (t) => {
  const { client, requests, bodies } = await scripted(t, [ok({ kind: 'Status', status: 'Success' })]);
  const options = { propagationPolicy: 'Background', uid: 'u-1', gracePeriodSeconds: 0 } as const;
  t.equal(await client.delete(JOBS, 'job-1', options), true);
  t.strictSame(requests, [`DELETE ${JOB_PATHS}/job-1`]);
  t.strictSame(bodies, [
    {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      gracePeriodSeconds: 0,
      preconditions: { uid: 'u-1' },
    },
  ]);
});

t.test('delete of an object that does not exist is false', async (t) => {
  const { client, requests, bodies } = await scripted(t, [
    refuses(404, 'NotFound', 'secrets "job-1-stdin" not found', { kind: 'secrets', name: 'job-1-stdin' }),
  ]);
  t.equal(await client.delete(SECRETS, 'job-1-stdin', { propagationPolicy: 'Background' }), false);
  t.strictSame(requests, ['DELETE /api/v1/namespaces/rstudio/secrets/job-1-stdin']);
  t.strictSame(bodies, [{ apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' }]);
});

t.test('delete of an object with another uid is a conflict', async (t) => {
  const { client } = await scripted(t, [
    refuses(409, 'Conflict', 'Precondition failed: UID in precondition: x, UID in object meta: y'),
  ]);
  const deletion = client.delete(PODS, 'p', { propagationPolicy: 'Background', uid: 'x' });
  t.equal((await failure(deletion)).code, 'conflict');
});

const page = (version: string, names: readonly string[], next?: string): Step =>
  ok({
    kind: 'List',
    metadata: { resourceVersion: version, continue: next },
    items: names.map((name) => ({ metadata: { name } })),
  });
const EVENT_PATHS = '/api/v1/namespaces/rstudio/events';

t.test('list reads all pages with its selector', async (t) => {
  const { client, requests } = await scripted(t, [page('10', ['a', 'b'], 'n1'), page('10', ['c'])], { fetchLimit: 2 });
  t.strictSame(await client.list(EVENTS, { fieldSelector: 'reason!=Pulled' }), {
    items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }, { metadata: { name: 'c' } }],
    resourceVersion: '10',
  });
  t.strictSame(requests, [
    `GET ${EVENT_PATHS}?fieldSelector=reason!%3DPulled&limit=2`,
    `GET ${EVENT_PATHS}?fieldSelector=reason!%3DPulled&limit=2&continue=n1`,
  ]);
});

t.test('list starts again when its continue token has expired', async (t) => {
  const { client, requests } = await scripted(
    t,
    [
      page('10', ['a', 'b'], 'n1'),
      refuses(410, 'Expired', 'The provided continue parameter is too old'),
      page('20', ['b', 'c'], 'n2'),
      page('20', ['d']),
    ],
    { fetchLimit: 2 },
  );
  t.strictSame(await client.list(EVENTS), {
    items: [{ metadata: { name: 'b' } }, { metadata: { name: 'c' } }, { metadata: { name: 'd' } }],
    resourceVersion: '20',
  });
  t.strictSame(requests, [
    `GET ${EVENT_PATHS}?limit=2`,
    `GET ${EVENT_PATHS}?limit=2&continue=n1`,
    `GET ${EVENT_PATHS}?limit=2`,
    `GET ${EVENT_PATHS}?limit=2&continue=n2`,
  ]);
});

t.test('list of a resource without namespace', async (t) => {
  const { client, requests } = await scripted(t, [page('30', ['node0'])], { fetchLimit: 0 });
  t.equal((await client.list(NODES)).items.length, 1);
  t.strictSame(requests, ['GET /api/v1/nodes']);
});

t.test('an answer that is not a list', async (t) => {
  const { client } = await scripted(t, [ok({ kind: 'Status' })]);
  t.match(await failure(client.list(PODS)), { code: 'bad-answer', text: 'the answer is not a list of objects' });
});

t.test('asks for a permission by SelfSubjectAccessReview and returns its reason', async (t) => {
  const { client, requests, bodies } = await scripted(t, [
    ok({ status: { allowed: true, reason: 'RBAC' } }),
    ok({ status: { allowed: false } }),
    ok({ status: { allowed: true } }),
  ]);
  t.strictSame(await client.allowed({ verb: 'create', group: '', resource: 'pods', subresource: 'exec' }), {
    allowed: true,
    reason: 'RBAC',
  });
  t.strictSame(await client.allowed({ verb: 'list', group: '', resource: 'nodes' }), { allowed: false, reason: '' });
  t.match(await client.allowed({ verb: 'get', group: 'batch', resource: 'jobs', namespace: 'other', name: 'x' }), {
    allowed: true,
  });
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
  t.match(redirect.message, /check that api-url names the API server itself/);
  t.equal(requests.length, 1, 'it is not followed');
  t.equal((await failure(client.get(JOBS, 'job-1'))).code, 'bad-answer');
  t.equal((await failure(client.version())).code, 'bad-answer');
  t.equal(
    (await failure(client.get(JOBS, 'job-1'))).message,
    'Kubernetes has no such object: 404 page not found [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1: 404]',
  );
});

t.test('a create that is answered 201 with null is retried by name, and its stored object is the answer', async (t) => {
  const { client, requests } = await scripted(t, [
    ({ answer }) => answer(201, null),
    refuses(409, 'AlreadyExists', 'jobs.batch "job-1" already exists'),
    ok(JOB),
  ]);
  t.strictSame((await client.create(JOBS, JOB, { isOurs: () => true })).object, JOB);
  t.strictSame(requests, [
    'POST /apis/batch/v1/namespaces/rstudio/jobs?fieldValidation=Warn',
    'POST /apis/batch/v1/namespaces/rstudio/jobs?fieldValidation=Warn',
    'GET /apis/batch/v1/namespaces/rstudio/jobs/job-1',
  ]);
});

t.test('an answer without an object has a message without internals', async (t) => {
  const { client } = await scripted(t, [ok(null)]);
  t.equal(
    (await failure(client.get(JOBS, 'job-1'))).message,
    'The answer is not one of a Kubernetes API server; check api-url: the answer is not a Kubernetes object [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1: 200]',
  );
});

t.test('an object with a name that is not a string is refused', async (t) => {
  const { client } = await scripted(t, [ok({ ...JOB, metadata: { name: 5 } })]);
  t.match(await failure(client.get(JOBS, 'job-1')), {
    code: 'bad-answer',
    text: 'the answer is not a Kubernetes object',
  });
});

t.test('an answer of more than 64 MiB is refused with its path', async (t) => {
  const { client } = await scripted(t, [
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const block = Buffer.alloc(1024 * 1024, ' ');
      const write = (left: number): void => {
        if (left > 0 && !response.destroyed) response.write(block, () => write(left - 1));
      };
      write(66);
    },
  ]);
  t.equal(
    (await failure(client.get(JOBS, 'job-1', { timeoutMs: 60_000 }))).message,
    'The Kubernetes API server sent too much: the answer is longer than 64 MiB [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1: 200 AnswerTooLong]',
  );
});

t.test('an HTTP/2 server without TLS', async (t) => {
  const server = createHttp2Server();
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await listening;
  t.teardown(() => server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  t.match(await failure(clientOf(t, url).get(JOBS, 'job-1')), {
    code: 'bad-answer',
    text: `${url}: the server does not speak HTTP/1.1`,
  });
});

t.test('a server with TLS that speaks only HTTP/2', async (t) => {
  const { ca, cert, key } = createIdentity(['127.0.0.1']);
  const server = createSecureServer({ cert, key, allowHTTP1: false });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await listening;
  t.teardown(() => server.close());
  const address = server.address();
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  t.match(await failure(clientOf(t, url, { tls: { ca, verify: true } }).get(JOBS, 'job-1')), {
    code: 'bad-answer',
    text: `${url}: the server does not speak HTTP/1.1`,
  });
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

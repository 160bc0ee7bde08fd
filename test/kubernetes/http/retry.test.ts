/** What fails is tried again where that helps and does no harm, with pauses, and until its deadline. */
import { createServer } from 'node:net';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import t from 'tap';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import {
  apiServer,
  clientOf,
  failure,
  JOB,
  lose,
  ok,
  recordingLog,
  refuses,
  Signal,
  type Step,
  scripted,
} from '../server.ts';

const isOurs = (stored: Job): boolean => stored.metadata?.annotations?.['submission'] === 's-1';
const freeze: Step = () => {};

const expired = refuses(401, 'Unauthorized', 'Unauthorized');
const background = { propagationPolicy: 'Background' } as const;
const after = async (...steps: readonly Step[]) => (await scripted(t, steps)).client;

t.test('a change that is refused after a lost answer may have been made', async (t) => {
  const removed = await failure((await after(lose, expired)).delete(PODS, 'pod-1', background));
  t.equal(removed.code, 'interrupted');
  t.equal(removed.status, undefined, 'it is no answer to the change');
  t.match(
    removed.text,
    /^the answer to an attempt was lost, so that it may have been carried out; the next attempt was refused: /,
  );
  t.equal((await failure((await after(lose, expired)).patch(PODS, 'pod-1', {}))).code, 'interrupted');
});

t.test('a change that is refused at once was not made', async (t) => {
  t.equal((await failure((await after(expired)).delete(PODS, 'pod-1', background))).code, 'unauthorized');
});

t.test('a read that is refused after a lost answer is refused', async (t) => {
  t.equal((await failure((await after(lose, expired)).get(PODS, 'pod-1'))).code, 'unauthorized');
});

t.test('delete: an object that is missing after a lost answer is deleted', async (t) => {
  const missing = refuses(404, 'NotFound', 'pods "pod-1" not found', { kind: 'pods', name: 'pod-1' });
  t.equal(await (await after(lose, missing)).delete(PODS, 'pod-1', background), false);
});

t.test('patch: a conflict after a lost answer may be one with the patch itself', async (t) => {
  const conflict = refuses(409, 'Conflict', 'the object has been modified');
  const patch = { metadata: { resourceVersion: '5' } };
  t.match(await failure((await after(lose, conflict)).patch(JOBS, 'job-1', patch)), {
    code: 'conflict',
    status: 409,
    text: 'the object has been modified',
    followsLostAnswer: true,
  });
  const first = await failure((await after(conflict)).patch(JOBS, 'job-1', patch));
  t.strictSame([first.code, first.followsLostAnswer], ['conflict', false]);
});

const exists = refuses(409, 'AlreadyExists', 'jobs.batch "job-1" already exists');
const quota = refuses(403, 'Forbidden', 'jobs.batch "job-1" is forbidden: exceeded quota: q');

t.test('create: a lost answer is retried with the same name, and our own object counts as success', async (t) => {
  const { client, requests, bodies } = await scripted(t, [
    lose,
    refuses(500, 'InternalError', 'etcd'),
    exists,
    ok(JOB),
  ]);
  t.strictSame((await client.create(JOBS, JOB, { isOurs })).object, JOB);
  t.strictSame(requests, [
    ...Array(3).fill('POST /apis/batch/v1/namespaces/rstudio/jobs?fieldValidation=Warn'),
    'GET /apis/batch/v1/namespaces/rstudio/jobs/job-1',
  ]);
  t.strictSame(bodies.slice(0, 3), [JOB, JOB, JOB]);
});

t.test('create: an object that cannot be read may be ours', async (t) => {
  const client = await after(lose, exists, expired);
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'interrupted');
});

t.test('create: an object that existed and is missing now was not ours', async (t) => {
  const missing = refuses(404, 'NotFound', 'jobs.batch "job-1" not found', { kind: 'jobs' });
  const client = await after(lose, exists, missing);
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'already-exists');
});

t.test('create: a refusal after a lost answer does not say that nothing was created', async (t) => {
  const error = await failure((await after(lose, quota)).create(JOBS, JOB, { isOurs }));
  t.equal(error.code, 'interrupted', 'the first attempt may have made it');
  t.match(error.text, /exceeded quota: q$/);
});

t.test('create: a refusal after an attempt that was not carried out is the answer', async (t) => {
  const client = await after(refuses(429, 'TooManyRequests', 'busy'), quota);
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'forbidden');
});

t.test("create: another client's object with the name is an error", async (t) => {
  const client = await after(exists, ok({ ...JOB, metadata: { name: 'job-1' } }));
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'already-exists');
});

t.test('create: without a test of the owner an existing object is an error', async (t) => {
  t.equal((await failure((await after(exists)).create(JOBS, JOB))).code, 'already-exists');
});

t.test('create: without a test of the owner a lost answer is not retried', async (t) => {
  t.equal((await failure((await after(lose)).create(JOBS, JOB))).code, 'unreachable');
});

t.test('create: dry run and strict validation are in the query', async (t) => {
  const { client, requests } = await scripted(t, [ok(JOB)]);
  await client.create(JOBS, JOB, { dryRun: true, fieldValidation: 'Strict' });
  t.strictSame(requests, ['POST /apis/batch/v1/namespaces/rstudio/jobs?dryRun=All&fieldValidation=Strict']);
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
    /last failure: Cannot connect to the Kubernetes API server: http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/,
  );
  const creating = client.create(JOBS, JOB);
  await apiServer(t, ({ answer }) => answer(201, JOB), { port });
  t.strictSame((await creating).object, JOB);
});

const denied = refuses(
  403,
  'Forbidden',
  'jobs.batch is forbidden: User "system:serviceaccount:rstudio:job-launcher" cannot get resource "jobs"',
);

t.test('a missing permission is retried once, because a server that starts refuses valid tokens', async (t) => {
  const { client, requests } = await scripted(t, [denied, ok(JOB)]);
  await client.get(JOBS, 'job-1');
  t.equal(requests.length, 2);
});

t.test('a permission that is missing twice is an error', async (t) => {
  t.equal((await failure((await after(denied, denied)).get(JOBS, 'job-1'))).code, 'forbidden');
});

t.test('a full quota is not retried', async (t) => {
  const { client, requests } = await scripted(t, [quota]);
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'forbidden');
  t.equal(requests.length, 1);
});

t.test('an invalid object is not retried', async (t) => {
  const { client, requests } = await scripted(t, [refuses(422, 'Invalid', 'spec.template: Required value')]);
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'invalid');
  t.equal(requests.length, 1);
});

t.test('a server error that stays is reported before the deadline', async (t) => {
  const webhook = refuses(500, 'InternalError', 'Internal error occurred: failed calling webhook "x"');
  const { client, requests } = await scripted(t, Array(10).fill(webhook));
  t.equal((await failure(client.create(JOBS, JOB, { isOurs }))).code, 'server-error');
  t.equal(requests.length, 6);
});

t.test('a call that the server throttles is retried after Retry-After', async (t) => {
  const began = performance.now();
  const busy: Step = ({ response }) =>
    void response.writeHead(429, { 'retry-after': '1' }).end('Too many requests, please try again later.');
  await (await after(busy, ok(JOB))).create(JOBS, JOB);
  t.ok(performance.now() - began >= 990);
});

t.test('a frozen connection leaves time for another attempt', async (t) => {
  // Half of it is left for the second attempt, on a busy host, too.
  const { client, requests } = await scripted(t, [freeze, ok(JOB)], { requestTimeoutMs: 8_000 });
  await client.get(JOBS, 'job-1');
  t.equal(requests.length, 2);
});

t.test('a body that freezes ends at the deadline', async (t) => {
  const client = await after(({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"metadata":');
  });
  const error = await failure(client.get(JOBS, 'job-1', { timeoutMs: 2_000 }));
  t.equal(error.code, 'timeout');
  t.equal(
    error.message,
    'The Kubernetes API server did not answer in time: 2 s [GET /apis/batch/v1/namespaces/rstudio/jobs/job-1]',
  );
});

t.test('a signal ends a call, and the next one before its request', async (t) => {
  const asked = new Signal();
  const { client, requests } = await scripted(t, [() => asked.give()]);
  const leaving = new AbortController();
  const pending = client.get(JOBS, 'job-1', { signal: leaving.signal });
  await asked.promise;
  leaving.abort(new Error('no longer wanted'));
  await t.rejects(pending, { message: 'no longer wanted' });
  await t.rejects(client.get(JOBS, 'job-1', { signal: leaving.signal }), { message: 'no longer wanted' });
  t.equal(requests.length, 1);
});

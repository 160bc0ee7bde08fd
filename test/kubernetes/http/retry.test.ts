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

t.test('a change that is refused after a lost answer may have been made', async (t) => {
  const expired = refuses(401, 'Unauthorized', 'Unauthorized');
  const lost = async (...steps: Parameters<typeof scripted>[1]) => (await scripted(t, steps)).client;
  const background = { propagationPolicy: 'Background' } as const;
  const removed = await failure((await lost(lose, expired)).delete(PODS, 'pod-1', background));
  t.equal(removed.code, 'interrupted');
  t.equal(removed.status, undefined, 'it is no answer to the change');
  t.match(
    removed.text,
    /^the answer to an attempt was lost, so that it may have been carried out; the next attempt was refused: /,
  );
  const patched = await failure((await lost(lose, expired)).patch(PODS, 'pod-1', {}));
  t.equal(patched.code, 'interrupted');
  t.equal(
    (await failure((await lost(expired)).delete(PODS, 'pod-1', background))).code,
    'unauthorized',
    'nothing was lost',
  );
  t.equal((await failure((await lost(lose, expired)).get(PODS, 'pod-1'))).code, 'unauthorized', 'nothing was changed');
  const gone = refuses(404, 'NotFound', 'pods "pod-1" not found', { kind: 'pods', name: 'pod-1' });
  t.equal(await (await lost(lose, gone)).delete(PODS, 'pod-1', background), false, 'it is as it should be');
});

t.test('create: a lost answer is retried with the same name, and our own object counts as success', async (t) => {
  const exists = refuses(409, 'AlreadyExists', 'jobs.batch "job-1" already exists');
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

  const unknown = await scripted(t, [lose, exists, refuses(401, 'Unauthorized', 'Unauthorized')]);
  t.equal((await failure(unknown.client.create(JOBS, JOB, { isOurs }))).code, 'interrupted', 'it may be ours');
  const vanished = await scripted(t, [
    lose,
    exists,
    refuses(404, 'NotFound', 'jobs.batch "job-1" not found', { kind: 'jobs' }),
  ]);
  t.equal((await failure(vanished.client.create(JOBS, JOB, { isOurs }))).code, 'already-exists');
  const quota = refuses(403, 'Forbidden', 'jobs.batch "job-1" is forbidden: exceeded quota: q');
  const unclear = await scripted(t, [lose, quota]);
  const error = await failure(unclear.client.create(JOBS, JOB, { isOurs }));
  t.equal(error.code, 'interrupted', 'the first attempt may have made it');
  t.match(error.text, /exceeded quota: q$/);
  const clear = await scripted(t, [refuses(429, 'TooManyRequests', 'busy'), quota]);
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
    /last failure: Cannot connect to the Kubernetes API server: http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/,
  );
  const creating = client.create(JOBS, JOB);
  await apiServer(t, ({ answer }) => answer(201, JOB), { port });
  t.strictSame((await creating).object, JOB);
});

t.test('what is tried again, and what is not', async (t) => {
  const unauthorized = refuses(
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
    refuses(403, 'Forbidden', 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'),
  ]);
  t.equal((await failure(quota.client.create(JOBS, JOB, { isOurs }))).code, 'forbidden');
  t.equal(quota.requests.length, 1, 'a full quota is an answer');
  const invalid = await scripted(t, [refuses(422, 'Invalid', 'spec.template: Required value')]);
  t.equal((await failure(invalid.client.create(JOBS, JOB, { isOurs }))).code, 'invalid');

  const webhook = refuses(500, 'InternalError', 'Internal error occurred: failed calling webhook "x"');
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

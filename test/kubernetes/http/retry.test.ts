/** What fails is tried again where that helps and does no harm, with pauses, and until its deadline. */
import { createServer } from 'node:net';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import t from 'tap';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { Backoff } from '../../../src/kubernetes/http/backoff.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { Deadline } from '../../../src/system/async.ts';
import type { Clock } from '../../../src/system/clock.ts';
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

/** A clock that stands still until it is moved. */
class HandClock implements Clock {
  time = 0;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  readonly now = (): number => this.time;
  readonly monotonic = (): number => this.time;
  readonly after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.time + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get pending(): number {
    return this.#timers.size;
  }

  pass(ms: number): void {
    this.time += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.time) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

t.test('pauses double, have jitter, honour Retry-After, and begin anew after quiet', async (t) => {
  const clock = new HandClock();
  const pauses = (random: number): Backoff =>
    new Backoff(clock, () => random, { first: 800, longest: 30_000, resetAfter: 120_000 });
  const middle = pauses(0.5);
  t.strictSame(
    Array.from({ length: 8 }, () => middle.next()),
    [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
  );
  t.strictSame([pauses(0).next(), pauses(0.999).next()], [400, 1199.2]);
  const busy = new KubernetesError({
    code: 'too-many-requests',
    method: 'GET',
    path: '/',
    text: '',
    retryAfterSeconds: 5,
  });
  t.equal(pauses(0.5).next(busy), 5_000);
  clock.pass(150_000);
  t.equal(middle.next(), 30_000, 'the pause itself is not quiet time');
  clock.pass(150_001);
  t.equal(middle.next(), 800);
  middle.next();
  middle.reset();
  t.equal(middle.next(), 800);
});

t.test('a deadline leaves no timer and no listener', async (t) => {
  const clock = new HandClock();
  const parent = new AbortController();
  const deadline = new Deadline(clock, parent.signal);
  deadline.set(100, () => new Error('first'));
  deadline.set(200, () => new Error('second'));
  t.equal(clock.pending, 1);
  clock.pass(150);
  t.equal(deadline.signal.aborted, false);
  clock.pass(50);
  t.match(deadline.signal.reason, { message: 'second' });
  deadline.end();

  const followed = new Deadline(clock, parent.signal);
  const ended = new Deadline(clock, parent.signal);
  ended.set(100, () => new Error('late'));
  ended.end();
  t.equal(clock.pending, 0);
  parent.abort(new Error('parent'));
  t.match(followed.signal.reason, { message: 'parent' });
  t.equal(ended.signal.aborted, false);
  t.match(new Deadline(clock, parent.signal).signal.reason, { message: 'parent' });
});

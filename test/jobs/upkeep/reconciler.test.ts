/** The reconciler runs each rule once at a time for a job, later and later where it fails, and never at the cost of other jobs. */
import t, { type Test } from 'tap';
import { type Rule, runReconciler } from '../../../src/jobs/upkeep/reconciler.ts';
import { projectJob } from '../../../src/jobs/view/projection.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import type { LogFields } from '../../../src/system/log.ts';
import { silentLog } from '../../../src/system/log.ts';
import { SharedLimit } from '../../../src/system/shares.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A Job; the user is the part of its name before the first `-`. */
const view = (name: string, resourceVersion = '1') =>
  projectJob({
    metadata: { name, uid: `uid-of-${name}`, resourceVersion },
    spec: { template: { metadata: { annotations: { user: name.split('-')[0] ?? '' } } } },
  });

/** Jobs `one` and `two`, and a rule that is due after 10 s for the jobs in `due`; `acts` holds the seconds of its attempts. */
function start(t: Test, act: (id: string) => Promise<void>, options: Partial<Rule> = {}, names = ['one', 'two']) {
  const clock = fakeClock();
  const repository = new Repository();
  repository.open();
  for (const name of names) repository.applyJob({ type: 'ADDED', object: view(name) });
  const acts: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  const due = new Set(names);
  const rule: Rule = {
    name: 'tidy-up',
    failure: 'Cannot tidy up',
    afterMs: () => 10_000,
    due: ({ id }) => due.has(id),
    act: ({ id }) => {
      acts[id]?.push(clock.monotonic() / 1000);
      return act(id);
    },
    ...options,
  };
  const lines: (readonly [string, string, LogFields | undefined])[] = [];
  const log = {
    ...silentLog,
    warning: (sentence: string, fields?: LogFields) => lines.push(['warning', sentence, fields]),
    info: (sentence: string, fields?: LogFields) => lines.push(['info', sentence, fields]),
    error: (sentence: string, fields?: LogFields) => lines.push(['error', sentence, fields]),
  };
  const ending = new AbortController();
  const running = runReconciler({ clock, random: () => 0.5, repository, log }, [rule], ending.signal);
  t.teardown(async () => {
    ending.abort(new Error('the test ends'));
    await running;
  });
  const pass = async (seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed++) {
      for (let n = 0; n < 3; n++) await turn();
      clock.advance(1_000);
    }
    for (let n = 0; n < 3; n++) await turn();
  };
  return { acts, due, pass, repository, lines };
}

t.test('an attempt that hangs is not started again for that job, and other jobs do not wait for it', async (t) => {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const { acts, due, pass } = start(t, (id) => (id === 'one' ? over : Promise.resolve()));
  await pass(45);
  t.strictSame(acts, { one: [10], two: [10, 20, 30, 40] });
  due.delete('one');
  await pass(5);
  due.add('one');
  await pass(20);
  t.strictSame(acts['one'], [10], 'not even after it was not due for a moment');
  end();
  await pass(15);
  t.strictSame(acts['one'], [10, 80], 'the usual pause after its end');
});

t.test('failed attempts are repeated after pauses that double up to a minute, for that job alone', async (t) => {
  const { acts, pass } = start(t, async (id) => {
    if (id === 'one') throw new Error('refused');
  });
  await pass(200);
  t.strictSame(acts['one'], [10, 11, 13, 17, 25, 41, 73, 133, 193]);
  t.equal(acts['two']?.length, 20);
});

t.test('Retry-After of the server is heeded, and some time is added at random', async (t) => {
  const { acts, pass } = start(t, async (id) => {
    const retryAfterSeconds = 45;
    if (id === 'one')
      throw new KubernetesError({
        code: 'too-many-requests',
        method: 'GET',
        path: '/',
        status: 429,
        text: 'x',
        retryAfterSeconds,
      });
  });
  await pass(60);
  // 45 s, and half of a fifth more.
  t.strictSame(acts['one'], [10, 59.5]);
});

t.test('after a success the backoff starts from the beginning', async (t) => {
  let fails = true;
  const { acts, pass } = start(t, async (id) => {
    if (id === 'one' && fails) throw new Error('refused');
  });
  await pass(18);
  fails = false;
  await pass(10);
  fails = true;
  await pass(13);
  t.strictSame(acts['one'], [10, 11, 13, 17, 25, 35, 36, 38]);
});

t.test('a rule that cannot be evaluated for one job is still evaluated for the others', async (t) => {
  const { acts, pass, lines } = start(t, () => Promise.resolve(), {
    due: ({ id }) => {
      if (id === 'one') throw new TypeError('malformed');
      return true;
    },
  });
  await pass(15);
  t.strictSame(acts, { one: [], two: [10] });
  t.match(lines[0], [
    'error',
    'BUG: cannot evaluate a reconcile rule; skipping it until the job changes',
    { rule: 'tidy-up', job: 'one' },
  ]);
});

t.test('a prompt rule is evaluated on an update of the job', async (t) => {
  const { acts, due, pass, repository } = start(t, () => Promise.resolve(), { prompt: true, afterMs: () => 0 });
  due.clear();
  await pass(2);
  due.add('one');
  await pass(2);
  t.strictSame(acts['one'], [0], 'not before the next look');
  repository.applyJob({ type: 'MODIFIED', object: view('one', '2') });
  t.strictSame(acts['one'], [0, 4]);
});

t.test('the attempts for a deleted job end', async (t) => {
  const { acts, pass, repository } = start(t, () => Promise.resolve());
  await pass(5);
  repository.applyJob({ type: 'DELETED', object: view('one', '2'), found: 'watch' });
  await pass(20);
  t.strictSame(acts, { one: [], two: [10, 20] });
});

t.test('attempts beyond the limit wait until another one has ended', async (t) => {
  const ends: (() => void)[] = [];
  const names = ['one', 'two', 'three'];
  const { acts, pass } = start(
    t,
    () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.push(resolve);
      return promise;
    },
    { concurrency: 2 },
    names,
  );
  await pass(12);
  t.strictSame(acts, { one: [10], two: [10], three: [] });
  ends[0]?.();
  await pass(1);
  t.strictSame(acts['three'], [12]);
});

t.test('attempts beyond the share of a user wait, and do not delay those of another user', async (t) => {
  const ends = new Map<string, () => void>();
  const of = (user: string, count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `${user}-${index + 1}`);
  const { acts, pass } = start(
    t,
    (id) => new Promise((resolve) => ends.set(id, resolve)),
    { shares: new SharedLimit(40, 'attempts', 'wait') },
    [...of('alice', 41), ...of('bob', 11)],
  );
  const waiting = (): readonly string[] => Object.keys(acts).filter((id) => acts[id]?.length === 0);
  await pass(12);
  t.strictSame(waiting(), ['alice-41', 'bob-11'], 'alice has all 40, and bob the reserve');
  ends.get('bob-3')?.();
  await pass(1);
  t.strictSame(waiting(), ['alice-41']);
  ends.get('alice-7')?.();
  await pass(1);
  t.strictSame(waiting(), ['alice-41'], 'a user above the share gets no more while there is another one');
  for (const id of of('bob', 11)) ends.get(id)?.();
  await pass(1);
  t.strictSame(waiting(), []);
});

const denied = (id: string) =>
  new KubernetesError({
    code: 'forbidden',
    method: 'PATCH',
    path: `/jobs/${id}`,
    status: 403,
    text: `jobs.batch "${id}" is forbidden: User "system:serviceaccount:rstudio:job-launcher" cannot patch resource "jobs"`,
  });

t.test('without permission one job retries, which is logged once, and so is its end', async (t) => {
  let isDenied = true;
  const { acts, due, pass, lines } = start(t, async (id) => {
    if (isDenied) throw denied(id);
    due.delete(id);
  });
  await pass(42);
  t.strictSame(acts, { one: [10, 11, 13, 17, 25, 41], two: [10] });
  isDenied = false;
  await pass(60);
  t.strictSame(acts['one'], [10, 11, 13, 17, 25, 41, 73]);
  t.equal(acts['two']?.length, 2);
  t.strictSame(
    lines.map(([level, sentence]) => [level, sentence]),
    [
      ['warning', 'Cannot tidy up; retrying'],
      ['info', 'A permission that was missing is granted now; the rule applies to all jobs again'],
    ],
  );
});

t.test('10,000 jobs are evaluated in batches: other work is done in between', async (t) => {
  const names = Array.from({ length: 10_000 }, (_, index) => `job-${index}`);
  let longestRun = 0;
  let run = 0;
  const { pass } = start(
    t,
    () => Promise.resolve(),
    {
      due: () => {
        run++;
        longestRun = Math.max(longestRun, run);
        return false;
      },
    },
    names,
  );
  let isOver = false;
  const reset = (): void => {
    run = 0;
    if (!isOver) setImmediate(reset);
  };
  setImmediate(reset);
  for (let n = 0; n < 200; n++) await turn();
  isOver = true;
  await pass(1);
  t.ok(longestRun <= 200, `${longestRun} jobs without a break`);
});

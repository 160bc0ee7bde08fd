/** Long computations in slices: turns between jobs, their own clock, and the end by a signal. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { runAtOnce, type Sliced, Slices, Turns } from '../../src/system/slices.ts';

/** Yields after each of its steps. */
function* steps(count: number, step: (index: number) => void): Sliced<string> {
  for (let index = 0; index < count; index++) {
    step(index);
    yield;
  }
  return 'done';
}

t.test('a computation without pauses gives the same result', async (t) => {
  let made = 0;
  t.equal(runAtOnce(steps(3, () => made++)), 'done');
  t.equal(made, 3);
});

t.test('computations of several jobs take turns, one slice in an iteration of the event loop', async (t) => {
  const turns = new Turns();
  const made: string[] = [];
  let cpu = 0;
  const run = (name: string) =>
    new Slices(turns, () => cpu).run(
      steps(3, (index) => {
        made.push(`${name}${index}`);
        cpu += 20;
      }),
    );
  const both = Promise.all([run('a'), run('b')]);
  for (const after of [['a0'], ['a0', 'b0'], ['a0', 'b0', 'a1'], ['a0', 'b0', 'a1', 'b1']]) {
    await setImmediate();
    t.same(made, after);
  }
  t.same(await both, ['done', 'done']);
  t.same(made, ['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
});

t.test('users take turns: a user with many computations delays another one by one slice at a time', async (t) => {
  const turns = new Turns();
  const made: string[] = [];
  let cpu = 0;
  const run = (user: string) =>
    new Slices(turns, () => cpu, user).run(
      steps(2, () => {
        made.push(user);
        cpu += 20;
      }),
    );
  const many = Promise.all(Array.from({ length: 36 }, () => run('eve')));
  await setImmediate();
  await Promise.all([run('bob'), many]);
  t.equal(made.length, 74);
  t.same(made.slice(0, 6), ['eve', 'eve', 'bob', 'eve', 'bob', 'eve']);
});

t.test('steps that are short share a slice', async (t) => {
  let cpu = 0;
  let made = 0;
  const running = new Slices(new Turns(), () => cpu).run(
    steps(10, () => {
      made++;
      cpu += 1;
    }),
  );
  await setImmediate();
  t.equal(made, 3, 'more than 2 ms are over after the third');
  t.equal(await running, 'done');
});

t.test('the clock of a job leaves out what other work takes', async (t) => {
  let cpu = 0;
  const slices = new Slices(new Turns(), () => cpu);
  const seen: number[] = [];
  const running = slices.run(
    steps(2, () => {
      cpu += 10;
      seen.push(slices.cpuTime());
    }),
  );
  await setImmediate();
  cpu += 1_000;
  await running;
  t.same(seen, [10, 20]);
  t.equal(slices.cpuTime(), 20);
});

t.test('an aborted signal ends the computation before its next slice', async (t) => {
  const aborter = new AbortController();
  let cpu = 0;
  let made = 0;
  const running = new Slices(new Turns(), () => cpu).run(
    steps(5, () => {
      made++;
      cpu += 20;
    }),
    aborter.signal,
  );
  await setImmediate();
  aborter.abort(new Error('too late'));
  await t.rejects(running, { message: 'too late' });
  t.equal(made, 1);
});

t.test('a computation that waits gives its turn away, and cannot run without a pause', async (t) => {
  function* waits(): Sliced<string> {
    yield setImmediate();
    return 'done';
  }
  t.throws(() => runAtOnce(waits()), { message: 'a computation that waits was run without a pause' });
  t.equal(await new Slices(new Turns(), () => 0).run(waits()), 'done');
});

t.test('what follows a long computation runs in an iteration of its own', async (t) => {
  let cpu = 0;
  let iteration = 0;
  let last = 0;
  const counting = (async () => {
    for (; iteration < 10; iteration++) await setImmediate();
  })();
  await new Slices(new Turns(), () => cpu).run(
    steps(2, () => {
      cpu += 20;
      last = iteration;
    }),
  );
  t.ok(iteration > last);
  await counting;
});

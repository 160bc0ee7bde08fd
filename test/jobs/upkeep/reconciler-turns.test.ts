/** When chores are done: once at a time for each job, and less and less often where they fail. */
import t, { type Test } from 'tap';
import { type Chore, runChores } from '../../../src/jobs/upkeep/reconciler.ts';
import { projectJob } from '../../../src/jobs/view/projection.ts';
import { createRepository } from '../../../src/jobs/view/repository.ts';
import { silentLog } from '../../../src/system/log.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** Two jobs, and a chore that is due as long as `isDue` says so; `acts` tells when it was done, in seconds. */
function start(t: Test, act: (id: string) => Promise<void>) {
  const clock = fakeClock();
  const repository = createRepository({ readAgain: async () => true });
  for (const name of ['one', 'two']) {
    const metadata = { name, uid: `uid-of-${name}`, resourceVersion: '1' };
    repository.onJob({ type: 'ADDED', object: projectJob({ metadata }) });
  }
  const acts: Record<string, number[]> = { one: [], two: [] };
  const due = new Set(['one', 'two']);
  const chore: Chore = {
    name: 'Tidying',
    afterMs: 10_000,
    isDue: ({ id }) => due.has(id),
    act: ({ id }) => {
      acts[id]?.push(clock.monotonic() / 1000);
      return act(id);
    },
  };
  const ending = new AbortController();
  const running = runChores({ clock, random: () => 0.5, repository, log: silentLog }, [chore], ending.signal);
  t.teardown(async () => {
    ending.abort(new Error('the test ends'));
    await running;
  });
  const pass = async (seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed += 5) {
      await new Promise(setImmediate);
      clock.advance(5_000);
    }
    await new Promise(setImmediate);
  };
  return { acts, due, pass };
}

t.test('given an act that hangs, it is not begun again for that job, and others do not wait for it', async (t) => {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const { acts, due, pass } = start(t, (id) => (id === 'one' ? over : Promise.resolve()));
  await pass(45);
  t.strictSame(acts, { one: [10], two: [10, 20, 30, 40] });
  due.delete('one');
  await pass(5);
  due.add('one');
  await pass(20);
  t.strictSame(acts['one'], [10], 'nor while it was not due for a moment');
  end();
  await pass(15);
  t.strictSame(acts['one'], [10, 80], 'the usual pause after its end');
});

t.test('given an act that fails, the pause doubles up to a minute, for that job alone', async (t) => {
  let fails = true;
  const { acts, due, pass } = start(t, async (id) => {
    if (id === 'one' && fails) throw new Error('refused');
  });
  await pass(320);
  t.strictSame(acts['one'], [10, 20, 40, 80, 140, 200, 260, 320]);
  t.equal(acts['two']?.length, 32);

  fails = false;
  await pass(60);
  fails = true;
  await pass(40);
  t.strictSame(acts['one']?.slice(8), [380, 390, 400, 420], 'once it succeeded, from the beginning');

  due.delete('one');
  await pass(5);
  due.add('one');
  await pass(35);
  t.strictSame(acts['one']?.slice(12), [440, 450], 'as well as once it was not due');
});

t.test('a job of which nobody can tell whether it is due does not stop the others', async (t) => {
  const { acts, due, pass } = start(t, () => Promise.resolve());
  due.has = (id) => {
    if (id === 'one') throw new TypeError('an odd job');
    return true;
  };
  await pass(15);
  t.strictSame(acts, { one: [], two: [10] });
});

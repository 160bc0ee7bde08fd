/** At most 16 lookups run at a time; names without answers have only some of them, and the newest lookup starts first. */
import t from 'tap';
import { LookupSlots } from '../../src/system/lookup-slots.ts';
import { fakeClock } from '../support/fake-clock.ts';

/** Slots, the names that run now, and functions that start and end the lookup of a name. */
function slots() {
  const clock = fakeClock();
  const all = new LookupSlots(clock);
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const look = (name: string, experience: 'answered' | 'new' | 'failed', user = ''): Promise<void> =>
    all.run(experience, user, () => {
      running.push(name);
      return new Promise((resolve) => {
        ends.set(name, () => {
          running.splice(running.indexOf(name), 1);
          resolve();
        });
      });
    });
  const start = (count: number, name: string, experience: 'answered' | 'new' | 'failed'): Promise<void>[] =>
    Array.from({ length: count }, (_, i) => look(`${name}${i}`, experience));
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const count = (name: string): number => running.filter((each) => each.startsWith(name)).length;
  return { clock, start, look, end, count, running };
}

t.test('16 lookups of answered names run at a time', async (t) => {
  const { start, count } = slots();
  start(20, 'a', 'answered');
  t.equal(count('a'), 16);
});

t.test('names that recently got no answer have 4 slots, new names 12', async (t) => {
  const { start, count } = slots();
  start(20, 'failed', 'failed');
  start(20, 'new', 'new');
  start(20, 'answered', 'answered');
  t.same([count('failed'), count('new'), count('answered')], [4, 8, 4]);
});

t.test('the newest lookup that may run starts when another one ends', async (t) => {
  const { start, look, end, running } = slots();
  start(20, 'failed', 'failed');
  start(12, 'answered', 'answered');
  void look('older', 'new');
  void look('newer', 'new');
  await end('answered0');
  t.ok(running.includes('newer'));
  t.notOk(running.includes('older'));
  await end('failed0');
  t.same(
    running.filter((name) => name === 'older' || name === 'failed19'),
    ['older'],
  );
});

t.test('a user has one lookup at a time, others do not wait for it', async (t) => {
  const { look, end, running } = slots();
  void look('first', 'new', 'alice');
  void look('second', 'answered', 'alice');
  void look('third', 'failed', 'alice');
  void look('other', 'new', 'bob');
  t.same(running, ['first', 'other']);
  await end('first');
  t.same(running, ['other', 'third']);
  await end('third');
  t.same(running, ['other', 'second']);
});

t.test('a lookup that waits for 20 s is rejected', async (t) => {
  const { clock, start, look } = slots();
  start(16, 'a', 'answered');
  const waits = look('late', 'answered');
  clock.advance(20_000);
  await t.rejects(waits, {
    name: 'UserLookupError',
    message: 'the name services do not answer in time: 0 other lookups are waiting',
  });
});

t.test('a lookup is rejected at once if 1,000 others wait', async (t) => {
  const { start, look } = slots();
  for (const waits of start(1_016, 'a', 'answered')) waits.catch(() => undefined);
  await t.rejects(look('late', 'answered'), { message: /: 1000 other lookups are waiting$/ });
});

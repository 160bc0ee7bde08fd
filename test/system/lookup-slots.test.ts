/** At most 16 lookups run at a time; names without answers have only some of them, and the newest lookup starts first. */
import t from 'tap';
import { LookupSlots } from '../../src/system/lookup-slots.ts';
import { fakeClock } from '../support/fake-clock.ts';

const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Slots, the names that run now, and functions that start and end the lookup of a name. */
function slots() {
  const clock = fakeClock();
  const all = new LookupSlots(clock);
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const look = (name: string, experience: 'answered' | 'new' | 'failed', user = ''): Promise<void> =>
    all.run(experience, user, (signal) => {
      running.push(name);
      const remove = (): void => void running.splice(running.indexOf(name), 1);
      signal.addEventListener('abort', remove);
      return new Promise((resolve) => {
        ends.set(name, () => {
          remove();
          resolve();
        });
      });
    });
  const start = (count: number, name: string, experience: 'answered' | 'new' | 'failed'): Promise<void>[] =>
    Array.from({ length: count }, (_, i) => look(`${name}${i}`, experience));
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await settled();
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
  const waits = look('late', 'failed');
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

t.test('of 16 slow lookups the 4 youngest give their slots to others, one for each that waits', async (t) => {
  const { clock, start, look, count, running } = slots();
  const all = start(16, 'slow', 'answered');
  const ended = all
    .slice(12)
    .map((lookup) => t.rejects(lookup, { message: 'no answer within 1 s, and other lookups wait' }));
  clock.advance(999);
  void look('one', 'answered');
  await settled();
  t.notOk(running.includes('one'));
  clock.advance(1);
  await settled();
  t.same([count('slow'), count('one')], [15, 1]);
  for (const name of ['two', 'three', 'four', 'five']) void look(name, 'new');
  await settled();
  t.same(running.slice(12), ['one', 'two', 'three', 'four']);
  await Promise.all(ended);
});

t.test('a slow directory has all slots while nobody waits, and 12 while others do', async (t) => {
  const { clock, start, count } = slots();
  for (const lookup of start(16, 'slow', 'answered')) lookup.catch(() => undefined);
  clock.advance(4_000);
  t.equal(count('slow'), 16);
  for (const lookup of start(40, 'other', 'answered')) lookup.catch(() => undefined);
  await settled();
  t.same([count('slow'), count('other')], [12, 4]);
  clock.advance(1_000);
  await settled();
  t.same([count('slow'), count('other')], [12, 4], 'four other ones');
});

t.test('new names get slots of slow ones above 8 of 12, and failed ones end nobody', async (t) => {
  const { clock, start, look, running, count } = slots();
  for (const lookup of start(12, 'slow', 'new')) lookup.catch(() => undefined);
  clock.advance(1_000);
  void look('failed', 'failed');
  await settled();
  t.notOk(running.includes('failed'));
  start(6, 'other', 'new');
  await settled();
  t.same([count('slow'), count('other'), count('failed')], [8, 4, 0]);
});

t.test('a slow lookup does not end for another one of its own user', async (t) => {
  const { clock, look, running } = slots();
  for (let i = 0; i < 16; i++) void look(`slow${i}`, 'answered', `user${i}`);
  clock.advance(1_000);
  void look('again', 'answered', 'user3');
  await settled();
  t.notOk(running.includes('again'));
});

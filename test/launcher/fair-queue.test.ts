/** Places for requests are shared by users round robin. */
import t from 'tap';
import { FairQueue } from '../../src/launcher/fair-queue.ts';

/** A queue of 40 places, with a share of 10, and who has places. */
function queueOf40() {
  const queue = new FairQueue(40);
  const begun: string[] = [];
  const ends = new Map<string, (() => void)[]>();
  return {
    begun,
    count: (user: string): number => begun.filter((each) => each === user).length,
    add: (user: string, times: number): void => {
      for (let i = 0; i < times; i++) {
        queue.add(user, (done) => {
          begun.push(user);
          ends.set(user, [...(ends.get(user) ?? []), done]);
        });
      }
    },
    end: (user: string, times: number): void => {
      for (const done of ends.get(user)?.splice(0, times) ?? []) done();
    },
  };
}

t.test('[flow-turns] one user alone has all places, and another user a quarter beside', (t) => {
  const { add, count } = queueOf40();
  add('a', 50);
  add('b', 20);
  t.same([count('a'), count('b')], [40, 10]);
  t.end();
});

t.test(
  '[flow-turns] users above a quarter start no further request while three quarters of the places are taken',
  (t) => {
    const { add, count, end } = queueOf40();
    add('a', 80);
    add('b', 20);
    end('a', 20);
    t.same([count('a'), count('b')], [40, 10], '30 places are taken');
    add('c', 1);
    t.equal(count('c'), 1, 'a user below a quarter does not wait');
    end('a', 3);
    t.same([count('a'), count('b')], [41, 11], 'users in turn');
    t.end();
  },
);

t.test('[flow-turns] waiting users are served round robin, and no place is lost', (t) => {
  const { add, begun, end } = queueOf40();
  add('a', 60);
  for (const user of ['b', 'c', 'd']) add(user, 20);
  for (let round = 0; round < 60; round++) for (const user of ['a', 'b', 'c', 'd']) end(user, 1);
  t.equal(begun.length, 120);
  t.ok(begun.indexOf('d') < begun.lastIndexOf('a'), 'who came last did not wait for all of a');
  t.end();
});

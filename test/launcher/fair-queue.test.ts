/** Places for requests are shared by users round robin. */
import t from 'tap';
import { FairQueue } from '../../src/launcher/fair-queue.ts';

t.test('[flow-turns] waiting users are served round robin, and no place is lost', async (t) => {
  const queue = new FairQueue(4);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const take = (user: string, name: string): void =>
    queue.add(user, (done) => {
      begun.push(name);
      ends.push(done);
    });
  for (let i = 1; i <= 4; i++) take('a', `a${i}`);
  for (let i = 1; i <= 3; i++) take('b', `b${i}`);
  take('c', 'c1');
  take('d', 'd1');
  t.strictSame(begun, ['a1', 'a2', 'b1', 'c1']);
  while (ends.length > 0) ends.shift()?.();
  t.strictSame([...begun].sort(), ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'c1', 'd1']);
  t.ok(begun.indexOf('d1') < begun.indexOf('a4'), 'who came last did not wait for all of a');
});

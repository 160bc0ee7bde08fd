/** One user alone may have all of a limit; with other users each has a share. */
import t from 'tap';
import { SharedLimit } from '../../src/system/shares.ts';

const limit = (places: number): SharedLimit => new SharedLimit(places, 'places', 'give some back');

/** Takes one after the other until there is a denial; returns how many were granted. */
function takeAll(places: SharedLimit, user: string): number {
  for (let granted = 0; ; granted++) if (places.take(user) !== undefined) return granted;
}

t.test('one user alone gets the limit', async (t) => {
  const places = limit(100);
  t.equal(takeAll(places, 'alice'), 100);
  t.equal(places.take('alice'), 'there are 100 places already, the maximum; give some back');
});

t.test('a second user gets a quarter although the first one has all', async (t) => {
  const places = limit(100);
  takeAll(places, 'alice');
  t.equal(takeAll(places, 'bob'), 25);
  places.giveBack('alice');
  t.equal(
    places.take('alice'),
    'user alice has the share of one user, a quarter of 100 places; give some back',
    'until alice is below the share',
  );
});

t.test('with another user, one gets what is above a share only while three quarters are not taken', async (t) => {
  const places = limit(100);
  places.take('bob');
  t.equal(takeAll(places, 'alice'), 74);
  t.equal(takeAll(places, 'bob'), 24);
  t.equal(takeAll(places, 'carol'), 25);
});

t.test('users below their share share the limit and its reserve', async (t) => {
  const places = limit(100);
  t.equal(takeAll(places, 'alice'), 100);
  t.equal(takeAll(places, 'bob'), 25);
  t.equal(places.take('carol'), 'there are 100 places already, the maximum; give some back');
  places.giveBack('alice', 5);
  t.equal(takeAll(places, 'carol'), 5);
});

t.test('no share is smaller than 10', async (t) => {
  const places = limit(12);
  takeAll(places, 'alice');
  t.equal(takeAll(places, 'bob'), 10);
});

t.test('the launcher itself has no share', async (t) => {
  const places = limit(100);
  takeAll(places, 'alice');
  t.equal(takeAll(places, '*'), 25);
  const free = limit(100);
  t.equal(takeAll(free, '*'), 125);
});

t.test('amounts count, not requests', async (t) => {
  const bytes = limit(100);
  t.equal(bytes.take('alice', 99), undefined);
  t.equal(bytes.take('alice', 50), undefined, 'the last one may be above');
  t.match(bytes.take('alice', 1), 'there are 100 places already');
  bytes.giveBack('alice', 149);
  t.equal(bytes.take('alice', 100), undefined);
});

/** Deadlines, conditions, spans of time and repetition on a fake clock. */
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { atMost, Deadline, Listeners, Places, repeat, untilAborted, waitFor, within } from '../../src/system/async.ts';
import { fakeClock } from '../support/fake-clock.ts';

const never = (): Promise<never> => new Promise(() => {});

t.test('a deadline aborts with its reason when its time is over', async (t) => {
  const clock = fakeClock();
  const deadline = new Deadline(clock);
  deadline.set(1_000, () => new Error('late'));
  clock.advance(999);
  t.equal(deadline.signal.aborted, false);
  clock.advance(1);
  t.match(deadline.signal.reason, { message: 'late' });
  t.equal(deadline.expired, true);
});

t.test('a deadline that is set again counts from there', async (t) => {
  const clock = fakeClock();
  const deadline = new Deadline(clock);
  deadline.set(1_000, () => new Error('first'));
  clock.advance(900);
  deadline.set(1_000, () => new Error('second'));
  clock.advance(999);
  t.equal(deadline.signal.aborted, false);
  clock.advance(1);
  t.match(deadline.signal.reason, { message: 'second' });
});

t.test('a deadline that is cleared never comes', async (t) => {
  const clock = fakeClock();
  const deadline = new Deadline(clock);
  deadline.set(1_000, () => new Error('late'));
  deadline.clear();
  clock.advance(10_000);
  t.equal(deadline.signal.aborted, false);
});

t.test('a deadline that its parent aborts has not expired', async (t) => {
  const parent = new AbortController();
  const deadline = new Deadline(fakeClock(), parent.signal);
  parent.abort(new Error('the caller left'));
  t.match(deadline.signal.reason, { message: 'the caller left' });
  t.equal(deadline.expired, false);
});

t.test('a deadline that has ended leaves no listener on its parent', async (t) => {
  const parent = new AbortController();
  const deadline = new Deadline(fakeClock(), parent.signal);
  t.equal(getEventListeners(parent.signal, 'abort').length, 1);
  deadline.end();
  t.equal(getEventListeners(parent.signal, 'abort').length, 0);
});

t.test('waitFor resolves with the first value that look finds after a change', async (t) => {
  const changes = new Listeners();
  let value: string | undefined;
  const found = waitFor(
    (check) => changes.add(check),
    () => value,
    new AbortController().signal,
  );
  changes.notify();
  value = 'ready';
  changes.notify();
  t.equal(await found, 'ready');
});

t.test('waitFor looks before the first change', async (t) => {
  const found = waitFor(
    () => () => {},
    () => 5,
    new AbortController().signal,
  );
  t.equal(await found, 5);
});

t.test("waitFor rejects with the signal's reason and unsubscribes", async (t) => {
  const end = new AbortController();
  let subscribed = 0;
  const found = waitFor(
    () => {
      subscribed++;
      return () => subscribed--;
    },
    () => undefined,
    end.signal,
  );
  t.equal(subscribed, 1);
  end.abort(new Error('stopped'));
  await t.rejects(found, { message: 'stopped' });
  t.equal(subscribed, 0);
  t.equal(getEventListeners(end.signal, 'abort').length, 0);
});

t.test('waitFor rejects with what look throws', async (t) => {
  const look = (): undefined => {
    throw new Error('broken');
  };
  await t.rejects(
    waitFor(() => () => {}, look, new AbortController().signal),
    { message: 'broken' },
  );
});

t.test('within resolves with the result of work that is done in time', async (t) => {
  t.equal(await within(fakeClock(), 1_000, async () => 'done'), 'done');
});

t.test('within resolves with undefined when the time is over, and aborts the work', async (t) => {
  const clock = fakeClock();
  let inner: AbortSignal | undefined;
  const result = within(clock, 1_000, (signal) => {
    inner = signal;
    return never();
  });
  clock.advance(1_000);
  t.equal(await result, undefined);
  t.equal(inner?.aborted, true);
});

t.test('within rejects as the work does', async (t) => {
  const work = async (): Promise<never> => {
    throw new Error('failed');
  };
  await t.rejects(within(fakeClock(), 1_000, work), { message: 'failed' });
});

t.test("within rejects with the parent's reason", async (t) => {
  const parent = new AbortController();
  const result = within(fakeClock(), 1_000, never, parent.signal);
  parent.abort(new Error('stopped'));
  await t.rejects(result, { message: 'stopped' });
});

t.test('untilAborted leaves no listener when its end comes first', async (t) => {
  const awaited = new AbortController();
  const end = new AbortController();
  const waiting = untilAborted(awaited.signal, end.signal);
  end.abort(new Error('stopped'));
  await t.rejects(waiting, { message: 'stopped' });
  t.equal(getEventListeners(awaited.signal, 'abort').length, 0);
});

t.test('untilAborted resolves and leaves no listener on its end', async (t) => {
  const awaited = new AbortController();
  const end = new AbortController();
  const waiting = untilAborted(awaited.signal, end.signal);
  awaited.abort();
  await waiting;
  t.equal(getEventListeners(end.signal, 'abort').length, 0);
});

t.test('repeat runs at once and again after each pause until the signal is aborted', async (t) => {
  const clock = fakeClock();
  const end = new AbortController();
  let runs = 0;
  const running = repeat(clock, 5_000, end.signal, async () => {
    runs++;
  });
  await nextTurn();
  t.equal(runs, 1);
  clock.advance(4_999);
  await nextTurn();
  t.equal(runs, 1);
  clock.advance(1);
  await nextTurn();
  t.equal(runs, 2);
  end.abort();
  await running;
  clock.advance(60_000);
  t.equal(runs, 2);
});

t.test('a listener that was added twice is called twice, and removed once at a time', async (t) => {
  const listeners = new Listeners<[number]>();
  const seen: number[] = [];
  const listener = (value: number): void => void seen.push(value);
  const remove = listeners.add(listener);
  listeners.add(listener);
  listeners.notify(1);
  remove();
  listeners.notify(2);
  t.strictSame(seen, [1, 1, 2]);
});

t.test('of five calls two run at the same time, in order, also after one that rejects', async (t) => {
  const ends: PromiseWithResolvers<void>[] = [];
  const begun: number[] = [];
  const call = atMost(2, (index: number) => {
    begun.push(index);
    const end = Promise.withResolvers<void>();
    ends.push(end);
    return end.promise;
  });
  const results = Promise.allSettled([0, 1, 2, 3, 4].map(call));
  await nextTurn();
  t.strictSame(begun, [0, 1]);
  ends[1]?.reject(new Error('no'));
  await nextTurn();
  t.strictSame(begun, [0, 1, 2]);
  ends[0]?.resolve();
  ends[2]?.resolve();
  await nextTurn();
  t.strictSame(begun, [0, 1, 2, 3, 4]);
  ends[3]?.resolve();
  ends[4]?.resolve();
  t.strictSame(
    (await results).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
});

t.test(
  'a task that waits for a place leaves with the reason of its signal, and the next one gets the place',
  async (t) => {
    const places = new Places(1);
    const reason = new Error('enough');
    const controller = new AbortController();
    const entered: string[] = [];
    await places.take();
    const leaving = places.take(controller.signal);
    const next = places.take().then(() => entered.push('next'));
    const last = places.take().then(() => entered.push('last'));
    controller.abort(reason);
    await t.rejects(leaving, reason);
    await t.rejects(places.take(controller.signal), reason, 'it does not even wait');
    places.giveBack();
    await next;
    t.strictSame(entered, ['next']);
    places.giveBack();
    await last;
    places.giveBack();
    await places.take();
    t.strictSame(entered, ['next', 'last']);
  },
);

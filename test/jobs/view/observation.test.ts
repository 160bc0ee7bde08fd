/** Pod observations: which of end and removal came first is known only if both were observed, else the times decide. */
import t from 'tap';
import { observePod, wasRemoved } from '../../../src/jobs/view/observation.ts';
import { DELETION, end, pod, SECOND, START, seen } from './state-cases.ts';

const running = observePod(undefined, pod(), true);

t.test('a running pod has neither ended nor been removed', async (t) => {
  t.equal(running.first, undefined);
});

t.test('a deletion that is observed before the end came first', async (t) => {
  const removed = observePod(running, pod(DELETION), true);
  t.equal(removed.first, 'removal');
  t.equal(observePod(removed, pod({ ...DELETION, container: end(0) }), true).first, 'removal');
});

t.test('an end that is observed before the deletion came first', async (t) => {
  const ended = observePod(running, pod({ container: end(0) }), true);
  t.equal(observePod(ended, pod({ ...DELETION, container: end(0) }), false).first, 'end');
});

t.test('end and deletion in one version: the order is not known', async (t) => {
  t.equal(observePod(running, pod({ ...DELETION, container: end(0) }), true).first, undefined);
});

/** Deleted with a grace period of 30 s; the container ended 5 s after the start. */
const deletedAt = (seconds: number) =>
  seen(pod({ deletion: { at: START + (30 + seconds) * SECOND, graceSeconds: 30 }, container: end(0) }));

t.test('a deletion up to 2 s after finishedAt counts as a removal: clocks differ', async (t) => {
  t.equal(wasRemoved(deletedAt(7)), true);
});

t.test('a deletion more than 2 s after finishedAt does not', async (t) => {
  t.equal(wasRemoved(deletedAt(8)), false);
});

t.test('a deletion that only a list showed is no removal: the end was not observed', async (t) => {
  const missed = observePod(running, pod(), false, 'relist');
  t.equal(missed.isEndUnknown, true);
  t.equal(wasRemoved(missed), false);
});

t.test('a pod that was being deleted before the list was removed', async (t) => {
  const missed = observePod(observePod(running, pod(DELETION), true), pod(DELETION), false, 'relist');
  t.equal(missed.isEndUnknown, undefined);
  t.equal(wasRemoved(missed), true);
});

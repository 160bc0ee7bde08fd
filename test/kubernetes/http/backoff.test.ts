/** Pauses between attempts: they double, have jitter, honor Retry-After, and are reset. */
import t from 'tap';
import { Backoff } from '../../../src/kubernetes/http/backoff.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const OPTIONS = { first: 800, longest: 30_000, resetAfter: 120_000 };

const busy = (retryAfterSeconds: number): KubernetesError =>
  new KubernetesError({ code: 'too-many-requests', method: 'GET', path: '/', text: '', retryAfterSeconds });

t.test('pauses double up to the longest', async (t) => {
  const backoff = new Backoff(fakeClock(), () => 0.5, OPTIONS);
  t.strictSame(
    Array.from({ length: 8 }, () => backoff.next()),
    [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
  );
});

t.test('jitter is a factor of 0.5 to 1.5', async (t) => {
  t.equal(new Backoff(fakeClock(), () => 0, OPTIONS).next(), 400);
  t.equal(new Backoff(fakeClock(), () => 0.999, OPTIONS).next(), 1199.2);
});

t.test('a pause is at least as long as Retry-After, and up to a fifth longer', async (t) => {
  const backoff = new Backoff(fakeClock(), () => 0.5, OPTIONS);
  t.equal(backoff.next(busy(5)), 5_500);
  t.equal(backoff.next(busy(1)), 1_600);
  t.equal(new Backoff(fakeClock(), () => 0, OPTIONS).next(busy(5)), 5_000);
  t.equal(new Backoff(fakeClock(), () => 1, OPTIONS).next(busy(5)), 6_000);
});

t.test('Retry-After counts up to ten minutes', async (t) => {
  t.equal(new Backoff(fakeClock(), () => 0, OPTIONS).next(busy(600)), 600_000);
  t.equal(new Backoff(fakeClock(), () => 0, OPTIONS).next(busy(601)), 600_000);
  t.equal(new Backoff(fakeClock(), () => 0, OPTIONS).next(busy(86_400)), 600_000);
});

t.test('time without failures resets the pauses; the pause itself does not count', async (t) => {
  const clock = fakeClock();
  const backoff = new Backoff(clock, () => 0.5, OPTIONS);
  for (let failure = 0; failure < 6; failure++) backoff.next();
  t.equal(backoff.next(), 30_000);
  clock.advance(150_000);
  t.equal(backoff.next(), 30_000);
  clock.advance(150_001);
  t.equal(backoff.next(), 800);
});

t.test('reset starts again with the first pause', async (t) => {
  const backoff = new Backoff(fakeClock(), () => 0.5, OPTIONS);
  backoff.next();
  backoff.next();
  backoff.reset();
  t.equal(backoff.next(), 800);
});

/** Latencies of API calls become the histogram of message 203. */
import t from 'tap';
import { LatencyHistogram } from '../../src/launcher/plugin-metrics.ts';

t.test('[metrics-latency] ten buckets that are not cumulative; longer calls count in the sum alone', (t) => {
  const histogram = new LatencyHistogram();
  t.equal(histogram.take(), undefined);
  for (const seconds of [0.01, 0.011, 0.5, 30, 31]) histogram.observe(seconds);
  t.strictSame(histogram.take(), { buckets: [1, 1, 0, 0, 0, 1, 0, 0, 0, 1], sum: 61.521 });
  t.equal(histogram.take(), undefined);
  t.end();
});

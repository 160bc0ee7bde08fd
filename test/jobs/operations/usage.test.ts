/** What a job uses is that of its container alone, and no measurement counts twice. */
import t from 'tap';
import { cpuTimeUntil, usageOf } from '../../../src/jobs/operations/usage.ts';

const container = 'rs-launcher-container';
const metrics = (timestamp: string, cpu: string, window = '10.212s', memory = '644Ki') => ({
  timestamp,
  window,
  containers: [
    { name: 'istio-proxy', usage: { cpu: '1', memory: '1Gi' } },
    { name: container, usage: { cpu, memory } },
  ],
});

t.test('a recorded measurement: percent of one core, MB of 10^6 bytes', async (t) => {
  t.strictSame(usageOf(metrics('2026-11-01T10:00:00Z', '299412860n'), container), {
    cpuPercent: 29.941286,
    residentMemory: 0.659456,
  });
  t.strictSame(usageOf(metrics('2026-11-01T10:00:00Z', '0', '10s', '1500M'), container), {
    cpuPercent: 0,
    residentMemory: 1500,
  });
  t.strictSame(usageOf({}, container), {});
});

t.test('processor time: the first for its window, each further one since the one before, none twice', async (t) => {
  const take = (before: ReturnType<typeof cpuTimeUntil>, sample: ReturnType<typeof metrics>) =>
    cpuTimeUntil(before, sample, usageOf(sample, container), 0);
  const one = take(undefined, metrics('2026-11-01T10:00:00Z', '500m', '10s'));
  t.equal(one?.seconds, 5);
  const two = take(one, metrics('2026-11-01T10:00:20Z', '2', '10s'));
  t.equal(two?.seconds, 45);
  t.equal(take(two, metrics('2026-11-01T10:00:20Z', '2', '10s')), two, 'seen before');
  t.equal(take(two, metrics('2026-11-01T10:00:05Z', '2', '10s')), two, 'older');
  t.equal(take(two, metrics('2026-11-01T10:01:20Z', '0', '1m0s'))?.seconds, 45);
  t.equal(take(undefined, metrics('2026-11-01T10:00:00Z', '1', '1m0.5s'))?.seconds, 60.5);
  t.equal(take(undefined, metrics('no time', '1')), undefined);
});

/** Processor time when the clock of the node that measures is wrong for a moment, or was set. */
import t from 'tap';
import { cpuTimeUntil } from '../../../src/jobs/operations/usage.ts';

/**
 * Takes measurements of half a core, each at a time of the plugin's own clock and with the time stamp that the node gave
 * it, both in seconds since the first; gives the processor time after each.
 */
function measured(samples: readonly (readonly [at: number, stamp: number])[]): readonly (number | undefined)[] {
  let cpuTime: ReturnType<typeof cpuTimeUntil>;
  return samples.map(([at, stamp]) => {
    const timestamp = new Date(Date.UTC(2026, 10, 1) + stamp * 1000).toISOString();
    cpuTime = cpuTimeUntil(cpuTime, { timestamp, window: '10s' }, { cpuPercent: 50 }, 1_000_000 + at * 1000);
    return cpuTime?.seconds;
  });
}

const YEAR = 365 * 86_400;

t.test('right clocks: each interval counts once, however late its end is seen', async (t) => {
  t.strictSame(
    measured([
      [0, 0],
      [15, 15],
      [16, 15],
      // Another replica of metrics-server is behind.
      [20, 5],
      [90, 75],
      // Nobody asked for a day.
      [86_490, 86_475],
      // Nothing new for ten minutes, then all of it.
      [87_075, 86_475],
      [87_090, 87_075],
    ]),
    [5, 12.5, 12.5, 12.5, 42.5, 43_242.5, 43_242.5, 43_542.5],
  );
});

t.test('a time stamp of the future counts nothing, and stops nothing', async (t) => {
  t.strictSame(
    measured([
      [0, 0],
      [15, YEAR],
      [30, 30],
      [45, 45],
    ]),
    [5, 5, 5, 12.5],
    'once',
  );
  t.strictSame(
    measured([
      [0, YEAR],
      [15, 15],
      [30, 30],
    ]),
    [5, 5, 12.5],
    'the first',
  );
});

t.test('a clock that was set to another time and stays there', async (t) => {
  t.strictSame(
    measured([
      [0, 0],
      [15, 3615],
      [30, 3630],
    ]),
    [5, 5, 12.5],
    'forward',
  );
  t.strictSame(
    measured([
      [0, 0],
      [15, -3585],
      [30, -3570],
    ]),
    [5, 5, 12.5],
    'back',
  );
  t.strictSame(
    measured([
      [0, 0],
      [15, 75],
      [30, 30],
      [90, 90],
    ]),
    [5, 42.5, 42.5, 50],
    'a minute forward and back: counted early, not twice',
  );
});

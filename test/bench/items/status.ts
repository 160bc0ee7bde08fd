/** e. From the server's write of a change to our frame. */
import { type Bench, expect, type Item } from '../item.ts';
import { MOMENT } from '../objects.ts';
import { startMeasured } from '../plugin.ts';
import { beginRealTime } from '../priority.ts';
import type { Reach, Row } from '../report.ts';
import { median, percentile } from '../statistics.ts';

const PER_SECOND = 1_000;
const JOBS = 1_000;

export const status: Item = async (bench) => {
  const end = beginRealTime(bench);
  try {
    return await changes(bench);
  } finally {
    end();
  }
};

async function changes({ server, runs, quick, progress, busy }: Bench): Promise<readonly Row[]> {
  const events = PER_SECOND * (quick ? 2 : 4);
  await server.have({ jobs: JOBS });
  const p50: number[] = [];
  const p99: number[] = [];
  const moments = new RegExp(`\\b\\d{${MOMENT.length}}\\b`);
  for (let round = 1; round <= runs; round++) {
    progress(`status, ${PER_SECOND} events a second, run ${round}`);
    const plugin = await startMeasured(server.url);
    try {
      await plugin.launcher.bootstrap();
      await plugin.launcher.jobs('*');
      const delays: number[] = [];
      const all = Promise.withResolvers<void>();
      const stream = plugin.launcher.status('*', '*', ({ statusMessage }) => {
        const now = Number(process.hrtime.bigint() / 1000n);
        const moment = moments.exec(statusMessage)?.[0];
        if (moment === undefined) return;
        delays.push((now - Number(moment)) / 1000);
        if (delays.length === events) all.resolve();
      });
      const { busy: part } = await server.busyWhile(() =>
        Promise.all([server.change(events, JOBS, PER_SECOND), all.promise]),
      );
      busy('status', part);
      stream.cancel();
      expect(delays.length === events, `${delays.length} of ${events} changes came`);
      p50.push(percentile(delays, 0.5));
      p99.push(percentile(delays, 0.99));
    } finally {
      await plugin.process.close();
    }
  }
  const row = (what: string, values: readonly number[], reach: Reach) => ({
    item: 'e',
    what,
    bars: [{ name: 'ours', value: median(values) }],
    unit: 'ms',
    result: median(values),
    reach,
    ratio: false,
  });
  return [row('change to status frame, p50', p50, 'known'), row('change to status frame, p99', p99, { most: 5 })];
}

/** d. Submits, one and fifty at a time. */
import { type Bench, expect, type Item } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import { beginRealTime } from '../priority.ts';
import type { Reach, Row } from '../report.ts';
import { median, percentile } from '../statistics.ts';

const JOBS = 2_000;
/** Submitted before, so that both sides are warm. */
const UNCOUNTED = 200;

interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly rate: number;
  /** Milliseconds of CPU of a submit, on the side that is measured alone. */
  readonly cpu: number;
}

const JOB = {
  name: 'Benchmark job',
  container: { image: 'busybox:1' },
  command: 'sleep',
  args: ['300'],
  environment: [{ name: 'HOME', value: '/home/jsmith' }],
  tags: ['bench'],
};

async function ours(bench: Bench, count: number, parallel: number): Promise<Times> {
  const plugin = await startMeasured(bench.server.url);
  try {
    await plugin.launcher.bootstrap();
    const submitAll = async (jobs: number): Promise<Times> => {
      const times: number[] = [];
      let left = jobs;
      const before = plugin.cpu();
      const begin = performance.now();
      const submitter = async (): Promise<void> => {
        while (left-- > 0) {
          const start = performance.now();
          await plugin.launcher.submit('jsmith', JOB);
          times.push(performance.now() - start);
        }
      };
      await Promise.all(Array.from({ length: parallel }, submitter));
      const seconds = (performance.now() - begin) / 1000;
      const cpu = ((plugin.cpu() - before) / jobs) * 1000;
      return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), rate: jobs / seconds, cpu };
    };
    await submitAll(UNCOUNTED);
    const { result, busy, requests } = await bench.server.busyWhile(() => submitAll(count));
    bench.busy(`submit, ${parallel} at a time`, busy);
    // A submit is one request. A watch may be opened again meanwhile, or a permission reviewed.
    expect(requests >= count && requests < count * 1.05, `${count} submits made ${requests} requests`);
    return result;
  } finally {
    await plugin.process.close();
  }
}

async function bare(bench: Bench, count: number, parallel: number): Promise<Times> {
  const { findings, cpu } = await bench.contestants.run('posts', {
    url: bench.server.url,
    count,
    parallel,
    uncounted: UNCOUNTED,
  });
  return {
    p50: Number(findings['p50']),
    p99: Number(findings['p99']),
    rate: Number(findings['rate']),
    cpu: (cpu / count) * 1000,
  };
}

export const submit: Item = async (bench) => {
  const end = beginRealTime(bench);
  try {
    return await submits(bench);
  } finally {
    end();
  }
};

async function submits(bench: Bench): Promise<readonly Row[]> {
  await bench.server.have({ jobs: 0 });
  const rows: Row[] = [];
  for (const parallel of [1, 50]) {
    // One at a time takes ten milliseconds each: all runs together submit as many.
    const count = Math.round(JOBS / (parallel === 1 ? 10 : 1) / (bench.quick ? 5 : 1));
    const found: { readonly ours: Times; readonly bare: Times }[] = [];
    for (let round = 1; round <= bench.runs; round++) {
      bench.progress(`submit ${count} jobs, ${parallel} at a time, run ${round}`);
      found.push({ ours: await ours(bench, count, parallel), bare: await bare(bench, count, parallel) });
    }
    const row = (what: string, name: keyof Times, unit: string, reach: Reach) => {
      const [mine, theirs] = [
        median(found.map((each) => each.ours[name])),
        median(found.map((each) => each.bare[name])),
      ];
      return {
        item: 'd',
        what: `${what}, ${parallel} at a time`,
        bars: [
          { name: 'ours', value: mine },
          { name: 'bare POSTs', value: theirs },
        ],
        unit,
        result: mine / theirs,
        reach,
        ratio: true,
      };
    };
    rows.push(row('submit, p50', 'p50', 'ms', { most: parallel === 1 ? 1.15 : 1.25 }));
    rows.push(row('submit, p99', 'p99', 'ms', 'known'));
    rows.push(row('submits a second', 'rate', '/s', { least: parallel === 1 ? 0.9 : 0.8 }));
    rows.push(row('CPU of a submit', 'cpu', 'ms', 'known'));
  }
  return rows;
}

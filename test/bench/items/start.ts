/** c. From exec to the answer of Bootstrap, and to the jobs being known. */
import { type Bench, expect, type Item } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import type { Row } from '../report.ts';
import { median } from '../statistics.ts';

const JOBS = 10_000;
const SMALL_START_MS = 150;

/** Variables that make root replace itself once more (design.md section 7), and those that do not. */
const ENVIRONMENTS = {
  'full environment': {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/root',
    USER: 'root',
    LD_PRELOAD: '',
    SHELL: '/bin/sh',
  },
  'clean environment': {},
} as const;

async function startOnce(bench: Bench, env: Readonly<Record<string, string>>, jobs: number): Promise<number> {
  const start = performance.now();
  const plugin = await startMeasured(bench.server.url, { env });
  try {
    await plugin.launcher.bootstrap();
    if (jobs > 0) {
      const known = await plugin.launcher.jobs('*', { fields: ['id'] });
      expect(known.length === jobs, `the plugin knows ${known.length} of ${jobs} jobs`);
    }
    return performance.now() - start;
  } finally {
    await plugin.process.close();
  }
}

export const start: Item = async (bench) => {
  const rows: Row[] = [];
  const who = process.getuid?.() === 0 ? 'root' : 'not root';
  await bench.server.have({ jobs: 0 });
  for (const [name, env] of Object.entries(ENVIRONMENTS)) {
    const times: number[] = [];
    for (let round = 1; round <= bench.runs; round++) {
      bench.progress(`start without jobs, ${who}, ${name}, run ${round}`);
      times.push(await startOnce(bench, env, 0));
    }
    const result = median(times);
    rows.push({
      item: 'c',
      what: `exec to Bootstrap answer, ${who}, ${name}`,
      bars: [{ name: 'ours', value: result }],
      unit: 'ms',
      result,
      reach: { most: SMALL_START_MS },
      ratio: false,
    });
  }

  const jobs = bench.quick ? JOBS / 10 : JOBS;
  await bench.server.have({ jobs });
  const ours: number[] = [];
  const floor: number[] = [];
  for (let round = 1; round <= bench.runs; round++) {
    bench.progress(`start with ${jobs} jobs, run ${round}`);
    ours.push(await startOnce(bench, ENVIRONMENTS['full environment'], jobs));
    const fetched = await bench.contestants.run('fetch', { url: bench.server.url });
    floor.push(Number(fetched.findings['ms']));
  }
  rows.push({
    item: 'c',
    what: `exec to the list of ${jobs} jobs`,
    bars: [
      { name: 'ours', value: median(ours) },
      { name: 'fetch and JSON.parse', value: median(floor) },
    ],
    unit: 'ms',
    result: median(ours) / median(floor),
    reach: { most: 1.5 },
    ratio: true,
  });
  return rows;
};

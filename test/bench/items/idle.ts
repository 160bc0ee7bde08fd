/** g. A minute in which nothing happens. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Item, ownRow } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import { median } from '../statistics.ts';

const JOBS = 1_000;
/** The plugin collects garbage 5 s after its start, and V8 twice until 15 s after it: that is not idleness. */
const SETTLE_MS = 20_000;

export const idle: Item = async ({ server, runs, quick, progress }) => {
  const seconds = quick ? 10 : 20;
  await server.have({ jobs: JOBS });
  progress(`idle with ${JOBS} running jobs, ${runs} plugins for ${seconds} s`);
  const plugins = await Promise.all(Array.from({ length: runs }, () => startMeasured(server.url)));
  try {
    for (const { launcher } of plugins) {
      await launcher.bootstrap();
      await launcher.jobs('*');
    }
    await wait(SETTLE_MS);
    const before = plugins.map(({ cpu }) => cpu());
    await wait(seconds * 1000);
    const cpu = median(plugins.map((plugin, index) => ((plugin.cpu() - (before[index] ?? 0)) / seconds) * 100));
    const memories = plugins.map((plugin) => plugin.memory());
    return [
      ownRow('g', `memory with ${JOBS} running jobs`, median(memories.map(({ now }) => now)), 'MB', { most: 95 }),
      ownRow('g', 'of it not pages of files', median(memories.map(({ own }) => own)), 'MB', 'known'),
      ownRow('g', 'CPU meanwhile', cpu, '% of a core', { most: 0.5 }),
    ];
  } finally {
    await Promise.all(plugins.map(({ process }) => process.close()));
  }
};

/** f. A long log, through to frames. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, expect, type Item } from '../item.ts';
import { BLOCK_BYTES, STAMPED_BLOCK_BYTES } from '../log.ts';
import { startMeasured } from '../plugin.ts';
import { median } from '../statistics.ts';

/** Of all runs together. */
const BYTES = 512e6;
const JOB_ID = 'bench-00000000';
/** The plugin that has used no CPU time for this long has started. */
const IDLE_MS = 400;

async function ours(bench: Bench, bytes: number): Promise<{ cpu: number; grown: number }> {
  const plugin = await startMeasured(bench.server.url);
  try {
    await plugin.launcher.bootstrap();
    await plugin.launcher.jobs('*');
    // Permissions and the version are read after the first list: item c has the start.
    for (let used = -1; used !== plugin.cpu(); await sleep(IDLE_MS)) used = plugin.cpu();
    const before = plugin.cpu();
    let seen = 0;
    let early = 0;
    const all = Promise.withResolvers<void>();
    const stream = plugin.launcher.output('*', JOB_ID, (text) => {
      seen += Buffer.byteLength(text);
      if (early === 0 && seen > bytes / 4) early = plugin.memory().peak;
      if (seen >= bytes) all.resolve();
    });
    stream.completed.catch(all.reject);
    const { busy } = await bench.server.busyWhile(() => all.promise);
    bench.busy('logs', busy);
    expect(seen === bytes, `${seen} of ${bytes} bytes came`);
    const found = { cpu: plugin.cpu() - before, grown: plugin.memory().peak - early };
    stream.cancel();
    return found;
  } finally {
    await plugin.process.close();
  }
}

export const logs: Item = async (bench) => {
  const blocks = Math.ceil(BYTES / (bench.quick ? 16 : bench.runs) / BLOCK_BYTES);
  const bytes = blocks * BLOCK_BYTES;
  await bench.server.have({ jobs: 1, logBytes: bytes });
  const cpu: number[] = [];
  const grown: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= bench.runs; round++) {
    bench.progress(`logs of ${Math.round(bytes / 1e6)} MB, run ${round}`);
    const found = await ours(bench, bytes);
    cpu.push(found.cpu);
    grown.push(found.grown);
    const task = { url: bench.server.url, count: blocks * STAMPED_BLOCK_BYTES };
    theirs.push((await bench.contestants.run('log', task)).cpu);
  }
  const perMegabyte = (values: readonly number[]): number => (median(values) / bytes) * 1e9;
  return [
    {
      item: 'f',
      what: `CPU for a MB of log (${Math.round(bytes / 1e6)} MB)`,
      bars: [
        { name: 'ours, to frames', value: perMegabyte(cpu) },
        { name: 'client-node Log, to a sink', value: perMegabyte(theirs) },
      ],
      unit: 'ms',
      result: median(cpu) / median(theirs),
      reach: { most: 0.6 },
      ratio: true,
    },
    {
      item: 'f',
      what: 'growth of the peak memory after the first quarter',
      bars: [{ name: 'ours', value: median(grown) }],
      unit: 'MB',
      result: median(grown),
      reach: { most: 10 },
      ratio: false,
    },
  ];
};

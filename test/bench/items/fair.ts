/** j. CPU of the event loop with many jobs and streams: upkeep, a user's list, and a change with many output streams. */
import { type Bench, expect, type Item, ownRow } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import { median } from '../statistics.ts';
import { mainThreadMicros } from '../usage.ts';

const JOBS = 10_000;
const FEW_JOBS = 100;
const STREAMS = 1_000;
const EVENTS = 5_000;
const PER_SECOND = 2_000;
/** Jobs of the user that lists them, and lists. */
const OWN_JOBS = 10;
const BATCHES = 20;
const LISTS_OF_A_BATCH = 50;

interface Upkeep {
  /** Milliseconds. */
  readonly pause: number;
  /** For each change. */
  readonly micros: number;
}

/** Rounds of upkeep, then changes of a job with this number of output streams. */
async function upkeep({ server, contestants, quick }: Bench, streams: number): Promise<Upkeep> {
  const count = EVENTS / (quick ? 2 : 1);
  await server.have({ jobs: JOBS });
  const task = { url: server.url, count, parallel: streams };
  const { findings } = await contestants.run('keep-jobs', task, () => server.change(count, 1, PER_SECOND));
  expect(findings['seen'] === count, `${findings['seen']} of ${count} changes came`);
  return { pause: Number(findings['pause']), micros: Number(findings['micros']) };
}

/** Microseconds of the main thread for a list of the user's jobs, beside this number of jobs of others. */
async function listCpu({ server, quick }: Bench, jobs: number): Promise<number> {
  const lists = LISTS_OF_A_BATCH / (quick ? 2 : 1);
  await server.have({ jobs });
  const plugin = await startMeasured(server.url);
  try {
    const { launcher, process } = plugin;
    await launcher.bootstrap();
    for (let index = 0; index < OWN_JOBS; index++) {
      await launcher.submit('jane', { name: 'own', command: 'true', container: { image: 'busybox' } });
    }
    const costs: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const before = mainThreadMicros(process.pid);
      for (let index = 0; index < lists; index++) {
        const found = await launcher.jobs('jane', { fields: ['status'] });
        expect(found.length === OWN_JOBS, `${found.length} of ${OWN_JOBS} jobs were listed`);
      }
      costs.push((mainThreadMicros(process.pid) - before) / lists);
    }
    // The first ones come before V8 has compiled; in some of the others is a round of upkeep.
    return median(costs.slice(BATCHES / 2));
  } finally {
    await plugin.process.close();
  }
}

export const fair: Item = async (bench) => {
  const { runs, progress } = bench;
  const quiet: Upkeep[] = [];
  const busy: Upkeep[] = [];
  const many: number[] = [];
  const few: number[] = [];
  for (let round = 1; round <= runs; round++) {
    progress(`upkeep of ${JOBS} jobs, and output streams, run ${round}`);
    quiet.push(await upkeep(bench, 0));
    busy.push(await upkeep(bench, STREAMS));
    progress(`lists of a user beside ${JOBS} jobs, run ${round}`);
    many.push(await listCpu(bench, JOBS));
    few.push(await listCpu(bench, FEW_JOBS));
  }
  const added = median(busy.map(({ micros }, index) => micros - (quiet[index]?.micros ?? Number.NaN)));
  const pause = median([...quiet, ...busy].map((each) => each.pause));
  const [beside, alone] = [median(many), median(few)];
  return [
    ownRow('j', `longest pause for upkeep of ${JOBS} jobs`, pause, 'ms', { most: 10 }),
    ownRow('j', 'CPU of a change of a job', median(quiet.map(({ micros }) => micros)), 'us', 'known'),
    ownRow('j', `CPU that ${STREAMS} output streams of the job add to it`, added, 'us', { most: 20 }),
    {
      item: 'j',
      what: `CPU of a list of ${OWN_JOBS} own jobs, beside ${JOBS} jobs of others`,
      bars: [
        { name: 'ours', value: beside },
        { name: `beside ${FEW_JOBS} jobs`, value: alone },
      ],
      unit: 'us',
      result: beside / alone,
      reach: { most: 1.5 },
      ratio: true,
    },
  ];
};

/**
 * i. CPU of the main thread for a submit with objects that templates of a published size make, beside the same submit
 * without templates: when the code is compiled, and the first time; parsing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TEMPLATE_FUNCTIONS } from '../../../src/templates/functions/function-table.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import type { Bench, Item } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import type { Row } from '../report.ts';
import { median } from '../statistics.ts';
import { mainThreadMicros } from '../usage.ts';

/** As long as those that charts ship: loops over variables, mounts, constraints, ports and the site's data. */
export const TEMPLATES = join(import.meta.dirname, '../templates');

const BATCHES = 10;
const JOBS_OF_A_BATCH = 20;
/** Submitted before, so that the code is compiled. */
const UNCOUNTED = 200;
const PARSES = 50;
const MAX_MS = 5;
const MAX_RISKY_MS = 15;

const JOB = {
  name: 'RStudio Session',
  exe: '/usr/lib/rstudio-server/bin/session',
  args: ['--mode', 'server', '--port', '8787'],
  container: { image: 'registry.example.org/session:1' },
  environment: Array.from({ length: 25 }, (_, index) => ({ name: `VARIABLE_${index}`, value: `value-${index}` })),
  mounts: ['/home/jane', '/data'].map((path) => ({
    mountPath: path,
    type: 'nfs',
    source: { host: 'nfs.example.org', path },
  })),
  exposedPorts: [{ targetPort: 8787 }, { targetPort: 50_000 }],
  tags: ['session'],
  workingDirectory: '/home/jane',
};

const RISKY_JOB = { ...JOB, name: 'Jane\'s "job": #1', args: ['-c', 'echo "a, b" | sed "s/[a]/{b}/"'] };

/** Milliseconds of CPU. */
interface Cost {
  readonly first: number;
  /** Median of the batches. */
  readonly later: number;
}

async function cpuOf({ server }: Bench, job: object, options: Readonly<Record<string, string>>): Promise<Cost> {
  // Only CPU time counts.
  await server.have({ jobs: 0, writeMs: 0 });
  const plugin = await startMeasured(server.url, { options });
  try {
    await plugin.launcher.bootstrap();
    const submitAll = async (jobs: number): Promise<number> => {
      const before = mainThreadMicros(plugin.process.pid);
      for (let index = 0; index < jobs; index++) await plugin.launcher.submit('jane', { ...job });
      return (mainThreadMicros(plugin.process.pid) - before) / jobs / 1000;
    };
    const first = await submitAll(1);
    await submitAll(UNCOUNTED);
    const later: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) later.push(await submitAll(JOBS_OF_A_BATCH));
    return { first, later: median(later) };
  } finally {
    await plugin.process.close();
  }
}

/** Milliseconds of CPU for each parse. */
function parseCpu(): number {
  const files = readdirSync(TEMPLATES).map((name) => ({ name, text: readFileSync(join(TEMPLATES, name), 'utf8') }));
  const before = process.cpuUsage();
  for (let index = 0; index < PARSES; index++) parseTemplates(files, TEMPLATE_FUNCTIONS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / PARSES;
}

export const templates: Item = async (bench) => {
  const options = { 'use-templating': '1', 'template-path': TEMPLATES };
  const measured = async (what: string, job: object, most: number): Promise<readonly Row[]> => {
    const found: { readonly made: Cost; readonly plain: Cost }[] = [];
    for (let round = 1; round <= bench.runs; round++) {
      bench.progress(`${what}, run ${round}`);
      found.push({ made: await cpuOf(bench, job, options), plain: await cpuOf(bench, job, {}) });
    }
    const row = (text: string, of: (cost: Cost) => number, reach: Row['reach']): Row => ({
      item: 'i',
      what: `CPU that templates add to ${text}${what}`,
      bars: [
        { name: 'with templates', value: median(found.map(({ made }) => of(made))) },
        { name: 'without templates', value: median(found.map(({ plain }) => of(plain))) },
      ],
      unit: 'ms',
      result: median(found.map(({ made, plain }) => of(made) - of(plain))),
      reach,
      ratio: false,
    });
    return [
      row('a submit', ({ later }) => later, { most }),
      row('the first submit after the start', ({ first }) => first, 'known'),
    ];
  };
  const parse = parseCpu();
  return [
    ...(await measured('', JOB, MAX_MS)),
    ...(await measured(', with risky text', RISKY_JOB, MAX_RISKY_MS)),
    {
      item: 'i',
      what: 'CPU of parsing the templates',
      bars: [{ name: 'ours', value: parse }],
      unit: 'ms',
      result: parse,
      reach: 'known',
      ratio: false,
    },
  ];
};

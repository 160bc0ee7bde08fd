/** i. CPU of a submit with objects that templates of a published size make, beside the same submit without templates; parsing. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TEMPLATE_FUNCTIONS } from '../../../src/templates/functions/function-table.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import type { Bench, Item } from '../item.ts';
import { startMeasured } from '../plugin.ts';
import type { Row } from '../report.ts';
import { median } from '../statistics.ts';

/** As long as those that charts ship: loops over variables, mounts, constraints, ports and the site's data. */
export const TEMPLATES = join(import.meta.dirname, '../templates');

const JOBS = 400;
/** Submitted before, so that the code is compiled. */
const UNCOUNTED = 400;
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

/** Milliseconds of CPU for each submit. */
async function cpuOf(
  { server, quick }: Bench,
  job: object,
  options: Readonly<Record<string, string>>,
): Promise<number> {
  await server.have({ jobs: 0 });
  const plugin = await startMeasured(server.url, { options });
  try {
    await plugin.launcher.bootstrap();
    const submitAll = async (jobs: number): Promise<number> => {
      const before = plugin.cpu();
      for (let index = 0; index < jobs; index++) await plugin.launcher.submit('jane', { ...job });
      return ((plugin.cpu() - before) / jobs) * 1000;
    };
    await submitAll(UNCOUNTED / (quick ? 4 : 1));
    return await submitAll(JOBS / (quick ? 4 : 1));
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
  const measured = async (what: string, job: object, most: number): Promise<Row> => {
    const found: { readonly made: number; readonly plain: number }[] = [];
    for (let round = 1; round <= bench.runs; round++) {
      bench.progress(`${what}, run ${round}`);
      found.push({ made: await cpuOf(bench, job, options), plain: await cpuOf(bench, job, {}) });
    }
    const bars = [
      { name: 'with templates', value: median(found.map(({ made }) => made)) },
      { name: 'without templates', value: median(found.map(({ plain }) => plain)) },
    ];
    const result = median(found.map(({ made, plain }) => made - plain));
    return { item: 'i', what, bars, unit: 'ms', result, reach: { most }, ratio: false };
  };
  const parse = parseCpu();
  return [
    await measured('CPU that templates add to a submit', JOB, MAX_MS),
    await measured('CPU that templates add to a submit with risky text', RISKY_JOB, MAX_RISKY_MS),
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

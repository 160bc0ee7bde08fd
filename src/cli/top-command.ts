/** `top`: CPU and memory that running jobs use now, from metrics.k8s.io. */

import type { JobUsage } from '../jobs/contract.ts';
import type { Job } from '../jobs/job.ts';
import { usageOf } from '../jobs/operations/usage.ts';
import { type JobRecord, jobOf } from '../jobs/view/record.ts';
import { type Client, POD_METRICS, type PodMetrics } from '../kubernetes/contract.ts';
import { isForbidden, isNotFound, KubernetesError } from '../kubernetes/kubernetes-error.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { connectCommand } from './command-client.ts';
import { type Command, EXIT_FAILED, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { USER_FLAG } from './job-list.ts';
import { takeSnapshot } from './snapshot.ts';
import { clean, cleanJson, stackedTable, type Terminal } from './terminal.ts';

export const top: Command = {
  name: 'top',
  summary: 'Shows the CPU and memory that running jobs use now, and their limits.',
  about:
    'Reads metrics.k8s.io once; metrics-server measures about four times a minute. A job that has just started has no measurement yet (-). Changes nothing.',
  words: [],
  flags: [
    USER_FLAG,
    { name: 'sort', value: 'cpu|memory', doc: 'Order; default: cpu.' },
    { name: 'json', doc: 'Print JSON.' },
  ],
  examples: [['sudo rstudio-kubernetes-launcher top --sort memory', 'Which jobs use the most memory?']],
  run: runTop,
};

interface Row {
  readonly job: Job;
  readonly usage: JobUsage;
}

async function runTop(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const sort = args.flags.get('sort') ?? 'cpu';
  if (sort !== 'cpu' && sort !== 'memory') throw new UsageError(`top: --sort is cpu or memory, not "${clean(sort)}"`);
  const user = args.flags.get('user');
  const options = await begin(args.options, context, terminal);
  const client = connectCommand(options, context);
  try {
    const { repository } = await takeSnapshot(client, (line) => terminal.say(line), { allEvents: false });
    const running = [...repository.records()].filter(
      ({ outcome, job }) => outcome.state === 'Running' && (user === undefined || job.request.user === user),
    );
    const pods = running.flatMap(({ pod }) => (pod?.present === true ? [pod.view.name] : []));
    const metrics = await readMetrics(client, pods);
    if (metrics === undefined) {
      terminal.say(
        'metrics.k8s.io has no answer: install metrics-server, or grant get and list on pods.metrics.k8s.io',
      );
      return EXIT_FAILED;
    }
    const value = ({ usage }: Row): number => (sort === 'cpu' ? usage.cpuPercent : usage.residentMemory) ?? -1;
    const rows = running.map((record) => rowOf(record, metrics)).toSorted((a, b) => value(b) - value(a));
    if (args.flags.has('json')) terminal.write(`${cleanJson(rows.map(shown), 2)}\n`);
    else if (rows.length === 0) terminal.say('No jobs are running.');
    else terminal.write(text(rows, terminal));
    return EXIT_OK;
  } finally {
    await client.close();
  }
}

/** By the name of the pod; undefined: there is no metrics API, or no permission. */
async function readMetrics(
  client: Client,
  pods: readonly string[],
): Promise<ReadonlyMap<string, PodMetrics> | undefined> {
  try {
    const { items } = await client.list(POD_METRICS);
    return new Map(items.map((each) => [each.metadata?.name ?? '', each]));
  } catch (error) {
    // An API that is not installed answers 404 without a Status.
    if (error instanceof KubernetesError && error.code === 'not-found') return undefined;
    if (isForbidden(error)) return readEach(client, pods);
    throw error;
  }
}

/** Requests at the same time. */
const CONCURRENCY = 8;

/** Without permission to list: one request for each pod. */
async function readEach(client: Client, pods: readonly string[]): Promise<ReadonlyMap<string, PodMetrics> | undefined> {
  const found = new Map<string, PodMetrics>();
  try {
    for (let first = 0; first < pods.length; first += CONCURRENCY) {
      const names = pods.slice(first, first + CONCURRENCY);
      const read = await Promise.all(names.map((name) => readOne(client, name)));
      for (const [index, name] of names.entries()) {
        const metrics = read[index];
        if (metrics !== undefined) found.set(name, metrics);
      }
    }
    return found;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** Undefined: the pod has no measurement. */
async function readOne(client: Client, pod: string): Promise<PodMetrics | undefined> {
  try {
    return (await client.get(POD_METRICS, pod)).object;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function rowOf(record: JobRecord, metrics: ReadonlyMap<string, PodMetrics>): Row {
  const view = record.pod?.view;
  const measured = view === undefined ? undefined : metrics.get(view.name);
  const usage = view === undefined || measured === undefined ? {} : usageOf(measured, view.container.name);
  return { job: jobOf(record), usage };
}

const limitOf = ({ resourceLimits }: Job, type: string): number | undefined => {
  const value = Number(resourceLimits.find((limit) => limit.type === type)?.value ?? 0);
  return value > 0 ? value : undefined;
};

const shown = ({ job, usage }: Row) => ({
  id: job.id,
  user: job.user,
  cpu: usage.cpuPercent === undefined ? undefined : usage.cpuPercent / 100,
  cpuLimit: limitOf(job, 'cpuCount'),
  memoryMb: usage.residentMemory,
  memoryLimitMb: limitOf(job, 'memory'),
  node: job.host,
});

function text(rows: readonly Row[], terminal: Terminal): string {
  const cells = rows.map((row) => {
    const { id, user, cpu, cpuLimit, memoryMb, memoryLimitMb, node } = shown(row);
    return [
      id,
      user || '-',
      `${cpu === undefined ? '-' : cpu.toFixed(2)}${cpuLimit === undefined ? '' : ` of ${cpuLimit}`}`,
      memoryText(memoryMb, memoryLimitMb),
      node || '-',
    ];
  });
  return stackedTable([['ID', 'USER', 'CPU', 'MEMORY', 'NODE'], ...cells], terminal, { least: 20, cuttable: 1 });
}

/** `310 MB of 512 (61 %)`. */
function memoryText(used: number | undefined, limit: number | undefined): string {
  const amount = used === undefined ? '-' : `${Math.round(used)} MB`;
  if (limit === undefined) return amount;
  const share = used === undefined ? '' : ` (${Math.round((used / limit) * 100)} %)`;
  return `${amount} of ${limit}${share}`;
}

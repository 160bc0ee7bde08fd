/**
 * `jobs`: the launcher's jobs as the plugin sees them. Shows arguments of programs; values of the environment and stdin
 * never. Changes nothing.
 */

import type { JobUsage } from '../jobs/contract.ts';
import { type Job, showJob } from '../jobs/job.ts';
import { usageOf } from '../jobs/operations/usage.ts';
import { jobOf } from '../jobs/view/record.ts';
import { type Client, POD_METRICS } from '../kubernetes/contract.ts';
import { KubernetesError } from '../kubernetes/kubernetes-error.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { connectCommand } from './command-client.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { causeOf, eventTable, factsOf, findJob, type JobDetail } from './job-detail.ts';
import {
  FILTER_FLAGS,
  jobTable,
  listedJob,
  matchesFilter,
  readFilter,
  readOrder,
  SORT_FLAG,
  wideTable,
} from './job-list.ts';
import { takeSnapshot } from './snapshot.ts';
import { clean, cleanJson, type Terminal, table } from './terminal.ts';
import { watchJobs } from './watch-jobs.ts';

export const jobs: Command = {
  name: 'jobs',
  summary: "Lists the launcher's jobs as the plugin sees them, or shows one job in detail.",
  about:
    'Reads the Jobs, pods, Services and events of the namespace and changes nothing. State and reason are those that the launcher receives. With ID, the output includes the arguments of the program, which may contain secrets. It never includes values of environment variables, stdin, or the sources of mounts.',
  words: ['[ID]'],
  flags: [
    ...FILTER_FLAGS,
    SORT_FLAG,
    {
      name: 'watch',
      short: 'w',
      doc: 'Keep the list current until Ctrl-C. Without a terminal, print a line for each change.',
    },
    {
      name: 'output',
      short: 'o',
      value: 'wide|json|name',
      doc: 'wide: also node, image and tags. json: for programs. name: ids only.',
    },
    { name: 'json', doc: 'The same as -o json.' },
  ],
  examples: [
    ['sudo rstudio-kubernetes-launcher jobs', 'Which jobs exist, and why does one not start?'],
    ['sudo rstudio-kubernetes-launcher jobs session-jane-x7k2q9w1ab', 'One job in detail, with its events.'],
    ['sudo rstudio-kubernetes-launcher jobs --watch --state Pending,Running --since 2h', 'A live list of recent jobs.'],
  ],
  run: runJobs,
};

/** Flags without a meaning for one job. */
const LIST_FLAGS = ['watch', 'sort', 'state', 'node', 'since', 'tag'];

/** How a list is printed. */
type Format = 'table' | 'wide' | 'json' | 'name';

function readFormat({ flags }: Arguments): Format {
  const format = flags.get('output') ?? (flags.has('json') ? 'json' : 'table');
  if (format !== 'wide' && format !== 'json' && format !== 'name' && format !== 'table')
    throw new UsageError(`jobs: --output is wide, json or name, not "${clean(format)}"`);
  if (flags.has('json') && format !== 'json')
    throw new UsageError(`jobs: --json and --output ${format} exclude each other`);
  return format;
}

async function runJobs(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const [id] = args.words;
  const format = readFormat(args);
  const filter = readFilter(args, 'jobs');
  const order = readOrder(args, 'jobs');
  const ofList = LIST_FLAGS.find((name) => args.flags.has(name));
  if (id !== undefined && ofList !== undefined)
    throw new UsageError(`jobs: --${ofList} is for lists; leave out the ID`);
  const options = await begin(args.options, context, terminal);
  if (args.flags.has('watch')) {
    await watchJobs({ options, context, terminal, filter, order, format });
    return EXIT_OK;
  }
  const client = connectCommand(options, context);
  try {
    const snapshot = await takeSnapshot(client, (line) => terminal.say(line), { allEvents: id !== undefined });
    const now = client.serverTime() ?? context.clock.now();
    if (id === undefined) {
      const found = [...snapshot.repository.records()].map(jobOf).filter((job) => matchesFilter(job, filter, now));
      writeList(found.toSorted(order), format, now, args.flags, terminal);
    } else {
      const detail = findJob(snapshot, id, filter.user);
      await writeDetail(detail, format, client, now, terminal);
    }
    return EXIT_OK;
  } finally {
    await client.close();
  }
}

function writeList(
  found: readonly Job[],
  format: Format,
  now: number,
  flags: Arguments['flags'],
  terminal: Terminal,
): void {
  if (format === 'json') terminal.write(`${cleanJson(found.map(listedJob), 2)}\n`);
  else if (format === 'name') terminal.write(found.map(({ id }) => `${clean(id)}\n`).join(''));
  else if (found.length === 0) {
    const isFiltered = FILTER_FLAGS.some(({ name }) => flags.has(name));
    terminal.say(isFiltered ? 'No job matches these filters.' : 'There are no jobs.');
  } else terminal.write(format === 'wide' ? wideTable(found, now, terminal) : jobTable(found, now, terminal));
}

async function writeDetail(
  detail: JobDetail,
  format: Format,
  client: Client,
  now: number,
  terminal: Terminal,
): Promise<void> {
  const { job, record, events } = detail;
  const usage = await usageNow(detail, client);
  if (format === 'name') return terminal.write(`${clean(job.id)}\n`);
  if (format === 'json') {
    const { control, result } = record.job;
    const all = { ...showJob(job), cause: causeOf(record), control, result, usage, events };
    return terminal.write(`${cleanJson(all, 2)}\n`);
  }
  terminal.write(table(factsOf(detail, usage, now), terminal, { head: false }));
  if (events.length > 0) terminal.write(`\n${eventTable(events, now, terminal)}`);
}

/** Empty if the job does not run, or metrics are not available. */
async function usageNow({ job, record }: JobDetail, client: Client): Promise<JobUsage> {
  const { pod } = record;
  if (job.status !== 'Running' || pod?.present !== true) return {};
  try {
    const { object } = await client.get(POD_METRICS, pod.view.name);
    return usageOf(object, pod.view.container.name);
  } catch (error) {
    if (error instanceof KubernetesError) return {};
    throw error;
  }
}

/**
 * `jobs`: the launcher's jobs as the plugin sees them, through the plugin's own reading of objects, once and without
 * writing anything. What programs run is shown, arguments included; values of the environment and input never are.
 */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Options } from '../config/options/options.ts';
import { connect } from '../jobs/connect.ts';
import { type Job, showJob } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import { jobId, projectEvent } from '../jobs/view/projection.ts';
import { type JobRecord, jobOf } from '../jobs/view/record.ts';
import { STATE_TABLE } from '../jobs/view/state.ts';
import type { Arguments } from './arguments.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';
import { clean, type Terminal, table } from './terminal.ts';

export const jobs: Command = {
  name: 'jobs',
  summary: "Lists the launcher's jobs as the plugin sees them, or shows one job in detail.",
  about:
    'Reads the Jobs, pods, Services and events of the namespace once and changes nothing. State and reason are those that the launcher receives. With ID, the output includes the arguments of the program, which may contain secrets. It never includes values of environment variables, stdin, or the sources of mounts.',
  words: ['[ID]'],
  flags: [
    { name: 'user', value: 'USER', doc: 'Only jobs of this user.' },
    { name: 'json', doc: 'Print JSON.' },
  ],
  examples: [
    ['sudo rstudio-kubernetes-launcher jobs', 'Which jobs exist, and why does one not start?'],
    ['sudo rstudio-kubernetes-launcher jobs session-jane-x7k2q9w1ab', 'One job in detail, with its events.'],
  ],
  run: runJobs,
};

async function runJobs(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const options = await begin(args.options, context, terminal);
  const client = connect(options, context, { atOnce: true });
  const [id] = args.words;
  try {
    const snapshot = await takeSnapshot(client, (line) => terminal.say(line), { allEvents: id !== undefined });
    const now = client.serverTime() ?? context.clock.now();
    const user = args.flags.get('user') ?? '*';
    if (id === undefined) list(snapshot, user, now, args.flags.has('json'), terminal);
    else tell(snapshot, id, user, now, args.flags.has('json'), terminal, options);
    return EXIT_OK;
  } finally {
    await client.close();
  }
}

function list({ repository }: Snapshot, user: string, now: number, json: boolean, terminal: Terminal): void {
  const all = [...repository.records()]
    .map(jobOf)
    .filter((job) => user === '*' || job.user === user)
    .toSorted((a, b) => b.submissionTime - a.submissionTime);
  if (json) {
    const members = all.map(
      ({ id, name, user: owner, status, statusCode, statusMessage, exitCode, submissionTime, host }) => ({
        id,
        name,
        user: owner,
        status,
        statusCode,
        statusMessage,
        exitCode,
        submitted: new Date(submissionTime).toISOString(),
        host,
      }),
    );
    terminal.write(`${JSON.stringify(members, null, 2)}\n`);
    return;
  }
  if (all.length === 0) {
    terminal.say(user === '*' ? 'There are no jobs.' : `There are no jobs of ${clean(user)}.`);
    return;
  }
  const rows = all.map((job) => [job.id, job.status, job.user || '-', age(now - job.submissionTime), reasonOf(job)]);
  terminal.write(table([['ID', 'STATE', 'USER', 'AGE', 'REASON'], ...rows], terminal));
}

/** Code, message and exit code, where they add to the state. */
function reasonOf({ status, statusCode, statusMessage, exitCode }: Job): string {
  const words = statusMessage || (exitCode === undefined || exitCode === 0 ? '' : `exit code ${exitCode}`);
  return [statusCode === status ? '' : statusCode, words].filter(Boolean).join(': ');
}

const second = (ms: number): number => Math.floor(ms / 1000);

/** `45s`, `12m`, `3h`, `8d`, as kubectl has it. */
function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function tell(
  seen: Snapshot,
  id: string,
  user: string,
  now: number,
  json: boolean,
  terminal: Terminal,
  options: Options,
): void {
  const record = seen.repository.get(jobId(id));
  if (record === undefined || (user !== '*' && record.job.request.user !== user)) {
    throw new JobError('job-not-found', `there is no job ${id} in namespace ${options.kubernetesNamespace}`);
  }
  const pods = seen.pods.filter(({ metadata }) => metadata?.ownerReferences?.some(({ uid }) => uid === record.uid));
  const uids = [record.uid, ...pods.map(({ metadata }) => metadata?.uid)];
  const events = seen.events
    .filter(({ involvedObject }) => uids.includes(involvedObject.uid))
    .map((event) => ({
      ...projectEvent(event),
      of: `${event.involvedObject.kind ?? ''} ${event.involvedObject.name ?? ''}`,
    }))
    // Most events know the second only.
    .toSorted((a, b) => second(a.at) - second(b.at) || Number(a.resourceVersion) - Number(b.resourceVersion));
  const job = jobOf(record);
  if (json) {
    const all = {
      ...showJob(job),
      cause: causeOf(record),
      control: record.job.control,
      result: record.job.result,
      events,
    };
    terminal.write(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  const facts = factsOf(job, record, pods, now).filter(([, value]) => value !== '');
  terminal.write(table(facts, terminal, { head: false }));
  if (events.length === 0) return;
  const rows = events.map(({ at, warning, reason, message, of }) => [
    age(now - at),
    warning ? 'Warning' : 'Normal',
    reason,
    of,
    message,
  ]);
  terminal.write(`\n${table([['AGE', 'EVENT', 'REASON', 'OF', 'MESSAGE'], ...rows], terminal)}`);
}

/** The row of the state table that decided, and who recorded the result. */
function causeOf({ cause, outcome, job }: JobRecord) {
  const seen = STATE_TABLE.find((row) => row.cause === cause)?.seen ?? '';
  return {
    name: cause,
    explanation: outcome.message || seen,
    recordedBy: job.result?.recordedBy,
    recordedAt: job.result?.recordedAt,
  };
}

/** `out-of-memory: the container exceeded its limit of 512M (recorded by host1 at 23:21:53Z)`. */
function causeText(record: JobRecord, now: number): string {
  const { name, explanation, recordedBy, recordedAt = '' } = causeOf(record);
  const text = explanation === '' ? name : `${name}: ${explanation}`;
  if (recordedBy === undefined) return text;
  const [host = recordedBy] = recordedBy.split('/');
  return `${text} (recorded by ${host}${timeText(recordedAt, now)})`;
}

/** ` at 23:21:53Z`, with the date if that is not today; '' if it is no time. */
function timeText(time: string, now: number): string {
  const at = Date.parse(time);
  if (Number.isNaN(at)) return '';
  const [date = '', clock = ''] = new Date(at).toISOString().replace(/\.\d+/, '').split('T');
  return new Date(now).toISOString().startsWith(date) ? ` at ${clock}` : ` at ${date}T${clock}`;
}

const namesOf = (named: readonly { readonly name: string }[]): readonly string[] => named.map(({ name }) => name);

function factsOf(
  job: Job,
  record: JobRecord,
  pods: readonly Pod[],
  now: number,
): readonly (readonly [string, string])[] {
  const { service } = record;
  const { control, result } = record.job;
  const when = (at: number): string => `${new Date(at).toISOString().replace('.000', '')} (${age(now - at)} ago)`;
  /** A time of an annotation, which anybody can write. */
  const written = (text: string): string => (Number.isNaN(Date.parse(text)) ? text : when(Date.parse(text)));
  const { image = '', runAsUserId, runAsGroupId } = job.container ?? {};
  return [
    ['id', job.id],
    ['name', job.name],
    ['user', job.user || '- (only administrators see it)'],
    ['state', job.status],
    ['reason', reasonOf(job)],
    ['cause', causeText(record, now)],
    ['exit code', job.exitCode === undefined ? '' : String(job.exitCode)],
    ['submitted', when(job.submissionTime)],
    ['changed', when(job.lastUpdateTime)],
    ['ended', written(result?.endedAt ?? '')],
    [
      'control',
      control === undefined
        ? ''
        : `${control.operation} by ${control.user} at ${written(control.at)}${control.reason === undefined ? '' : `: ${control.reason}`}`,
    ],
    ['node', job.host],
    ['pods', pods.map(({ metadata, status }) => `${metadata?.name} ${status?.phase}`).join(', ')],
    ['image', image],
    ['runs', [job.command || job.exe, ...job.args].filter(Boolean).join(' ')],
    ['directory', job.workingDirectory],
    ['run as', [runAsUserId, runAsGroupId].filter((part) => part !== undefined).join(':')],
    ['environment', namesOf(job.environment).join(', ')],
    ['limits', job.resourceLimits.map(({ type, value }) => `${type} ${value}`).join(', ')],
    ['resources', job.resourceProfile],
    ['constraints', job.placementConstraints.map(({ name, value }) => `${name}=${value}`).join(', ')],
    [
      'ports',
      job.exposedPorts
        .map(
          ({ targetPort, publishedPort, protocol }) =>
            `${targetPort}/${protocol}${publishedPort === undefined ? '' : ` at ${publishedPort}`}`,
        )
        .join(', '),
    ],
    [
      'service',
      service === undefined ? '' : `${service.type} ${[...service.clusterIps, ...service.ingress].join(', ')}`,
    ],
    [
      'mounts',
      job.mounts
        .map(({ type, mountPath, readOnly }) => `${type} at ${mountPath}${readOnly ? ' (read only)' : ''}`)
        .join(', '),
    ],
    ['tags', job.tags.join(', ')],
    ['launcher', job.instanceId],
  ];
}

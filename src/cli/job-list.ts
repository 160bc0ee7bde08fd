/** Lists of jobs: filters, order, and columns that fit the terminal. */
import { JOB_STATES, type Job, type JobState, parseState } from '../jobs/job.ts';
import { ageText, parseAge } from './age.ts';
import { type Arguments, type Flag, UsageError } from './arguments.ts';
import { clean, stackedTable, type Terminal, table } from './terminal.ts';

export interface JobFilter {
  readonly user: string | undefined;
  readonly states: ReadonlySet<JobState> | undefined;
  readonly node: string | undefined;
  /** Submitted at most this many milliseconds ago. */
  readonly sinceMs: number | undefined;
  readonly tag: string | undefined;
}

export const USER_FLAG: Flag = { name: 'user', value: 'USER', doc: 'Only jobs of this user.' };

export const FILTER_FLAGS: readonly Flag[] = [
  USER_FLAG,
  { name: 'state', value: 'STATES', doc: `Only jobs in one of these states, such as Pending,Running.` },
  { name: 'node', value: 'NODE', doc: 'Only jobs on this node.' },
  { name: 'since', value: 'AGE', doc: 'Only jobs submitted within this time, such as 90s, 15m, 2h or 7d.' },
  { name: 'tag', value: 'TAG', doc: 'Only jobs with this tag.' },
];

type SortKey = 'age' | 'id' | 'state' | 'user' | 'node';

const ORDERS: Readonly<Record<SortKey, (a: Job, b: Job) => number>> = {
  age: (a, b) => b.submissionTime - a.submissionTime,
  id: (a, b) => compare(a.id, b.id),
  state: (a, b) => JOB_STATES.indexOf(a.status) - JOB_STATES.indexOf(b.status),
  user: (a, b) => compare(a.user, b.user),
  node: (a, b) => compare(a.host, b.host),
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const SORT_FLAG: Flag = {
  name: 'sort',
  value: 'COLUMN',
  doc: `Order: ${Object.keys(ORDERS).join(', ')}; default: age, the newest first.`,
};

/** Throws UsageError for a state or an age that is none. */
export function readFilter({ flags }: Arguments, command: string): JobFilter {
  const since = flags.get('since');
  const sinceMs = since === undefined ? undefined : parseAge(since);
  if (since !== undefined && sinceMs === undefined)
    throw new UsageError(`${command}: --since is a time such as 90s, 15m, 2h or 7d, not "${clean(since)}"`);
  return {
    user: flags.get('user'),
    states: flags.has('state') ? readStates(flags.get('state') ?? '', command) : undefined,
    node: flags.get('node'),
    sinceMs,
    tag: flags.get('tag'),
  };
}

function readStates(text: string, command: string): ReadonlySet<JobState> {
  return new Set(
    text.split(',').map((name) => {
      const state = parseState(name);
      if (state === undefined || state === '')
        throw new UsageError(`${command}: --state is a list of ${JOB_STATES.join(', ')}, not "${clean(text)}"`);
      return state;
    }),
  );
}

/** Throws UsageError. */
export function readOrder({ flags }: Arguments, command: string): (a: Job, b: Job) => number {
  const key = flags.get('sort') ?? 'age';
  const order = Object.entries(ORDERS).find(([name]) => name === key)?.[1];
  if (order === undefined)
    throw new UsageError(`${command}: --sort is one of ${Object.keys(ORDERS).join(', ')}, not "${clean(key)}"`);
  return (a, b) => order(a, b) || ORDERS.age(a, b) || ORDERS.id(a, b);
}

export function matchesFilter(job: Job, { user, states, node, sinceMs, tag }: JobFilter, now: number): boolean {
  return (
    (user === undefined || job.user === user) &&
    (states === undefined || states.has(job.status)) &&
    (node === undefined || job.host === node) &&
    (sinceMs === undefined || now - job.submissionTime <= sinceMs) &&
    (tag === undefined || job.tags.includes(tag))
  );
}

/** Code, message and exit code, where they add to the state. */
export function reasonOf({ status, statusCode, statusMessage, exitCode }: Job): string {
  const words = statusMessage || (exitCode === undefined || exitCode === 0 ? '' : `exit code ${exitCode}`);
  return [statusCode === status ? '' : statusCode, words].filter(Boolean).join(': ');
}

/** Fields of a list for programs. */
export function listedJob({
  id,
  name,
  user,
  status,
  statusCode,
  statusMessage,
  exitCode,
  submissionTime,
  host,
  tags,
}: Job) {
  const submitted = new Date(submissionTime).toISOString();
  return { id, name, user, status, statusCode, statusMessage, exitCode, submitted, host, tags };
}

/** On a narrow terminal a reason is below its job and a long user name is cut; an id never is. */
export function jobTable(jobs: readonly Job[], now: number, terminal: Pick<Terminal, 'columns' | 'color'>): string {
  const rows = jobs.map((job) => [
    job.id,
    job.status,
    job.user || '-',
    ageText(now - job.submissionTime),
    reasonOf(job),
  ]);
  return stackedTable([['ID', 'STATE', 'USER', 'AGE', 'REASON'], ...rows], terminal, { least: 40, cuttable: 2 });
}

/** All columns, one line a job, whatever the width. */
export function wideTable(jobs: readonly Job[], now: number, { color }: Pick<Terminal, 'color'>): string {
  const rows = jobs.map((job) => [
    job.id,
    job.status,
    job.user || '-',
    ageText(now - job.submissionTime),
    job.host || '-',
    job.container?.image || '-',
    job.tags.join(',') || '-',
    reasonOf(job),
  ]);
  const head = ['ID', 'STATE', 'USER', 'AGE', 'NODE', 'IMAGE', 'TAGS', 'REASON'];
  return table([head, ...rows], { columns: undefined, color });
}

/** `jobs --watch`: a table that is drawn again on a terminal; elsewhere one line for each change. Ends with Ctrl-C. */
import type { Options } from '../config/options/options.ts';
import type { Job } from '../jobs/job.ts';
import { untilAborted } from '../system/async.ts';
import { sleep } from '../system/clock.ts';
import type { CommandContext } from './command-session.ts';
import { type JobFilter, jobTable, listedJob, matchesFilter, reasonOf, wideTable } from './job-list.ts';
import { withLiveJobs } from './live-jobs.ts';
import { clean, cleanJson, type Terminal } from './terminal.ts';
import { shorten } from './text-columns.ts';

interface Watching {
  readonly options: Options;
  readonly context: CommandContext;
  readonly terminal: Terminal;
  readonly filter: JobFilter;
  readonly order: (a: Job, b: Job) => number;
  readonly format: 'table' | 'wide' | 'json' | 'name';
}

/** Ages change each second. */
const REDRAW_MS = 1_000;

export async function watchJobs(watching: Watching): Promise<void> {
  const { options, context, terminal, filter, order, format } = watching;
  const { clock } = context;
  const interrupted = terminal.interrupted();
  const isTable = terminal.rows !== undefined && format !== 'json' && format !== 'name';
  let problem = '';
  const show = (line: string): void => {
    problem = line;
  };
  await withLiveJobs(options, context, isTable ? show : terminal.say, async ({ jobs, client }) => {
    const now = (): number => client.serverTime() ?? clock.now();
    const matching = (): readonly Job[] =>
      jobs
        .list('*')
        .filter((job) => matchesFilter(job, filter, now()))
        .toSorted(order);
    if (!isTable) {
      const print = (job: Job): void => terminal.write(changeLine(job, format, now()));
      for (const job of matching().toReversed()) print(job);
      const stop = jobs.onChange((job) => {
        if (matchesFilter(job, filter, now())) print(job);
      });
      await untilAborted(interrupted);
      stop();
      return;
    }
    terminal.write(CLEAR);
    while (!interrupted.aborted) {
      const { rows = 24, columns = 80 } = terminal;
      const plain = { columns, color: false };
      const text = format === 'wide' ? wideTable(matching(), now(), plain) : jobTable(matching(), now(), plain);
      const status = `Jobs in namespace ${client.namespace}. Ctrl-C ends.`;
      terminal.write(screen(text, rows, columns, problem === '' ? [status] : [status, problem]));
      await sleep(clock, REDRAW_MS, interrupted).catch(() => {});
    }
  });
}

/** Clears the screen; the cursor is at its beginning. */
const CLEAR = '\u001b[2J\u001b[H';

/** The lines of a table over the previous ones, as many as fit below the status. */
function screen(text: string, rows: number, columns: number, status: readonly string[]): string {
  const lines = text.trimEnd().split('\n');
  const room = Math.max(2, rows - 1 - status.length);
  const shown =
    lines.length <= room ? lines : [...lines.slice(0, room - 1), `... and ${lines.length - room + 1} more lines`];
  return `\u001b[H${[...status, ...shown].map((line) => `${shorten(line, columns)}\u001b[K\n`).join('')}\u001b[J`;
}

/** `2026-11-23T23:21:51Z  report-1  Finished  jane  Error: exit code 3`. */
function changeLine(job: Job, format: Watching['format'], now: number): string {
  if (format === 'json') return `${cleanJson(listedJob(job))}\n`;
  if (format === 'name') return `${clean(job.id)}\n`;
  const time = new Date(now).toISOString().replace(/\.\d+/, '');
  return `${[time, job.id, job.status, job.user || '-', reasonOf(job)].map(clean).join('  ').trimEnd()}\n`;
}

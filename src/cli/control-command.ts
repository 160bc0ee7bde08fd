/**
 * `stop`, `kill` and `cancel`: the launcher's operations, for an administrator. Each is recorded on the Job and in the log
 * of the plugin with the user who logged in and typed it. Only root and the server user may use them.
 */
import { logSettings, readLoggingConf } from '../config/options/logging-conf.ts';
import type { Options } from '../config/options/options.ts';
import { auditedJobs } from '../jobs/audit.ts';
import type { ControlOperation, Jobs } from '../jobs/contract.ts';
import { type Job, TERMINAL_STATES } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Client } from '../kubernetes/contract.ts';
import { otherUser } from '../system/access.ts';
import type { LogFields } from '../system/log.ts';
import { openDestination } from '../system/log-destination.ts';
import { jsonFormat, textFormat } from '../system/log-format.ts';
import { createLogger, type Logger } from '../system/logger.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { type Command, EXIT_FAILED, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { noJob } from './job-detail.ts';
import { withLiveJobs } from './live-jobs.ts';
import { clean, type Terminal } from './terminal.ts';
import { programName } from './version.ts';

type Operation = Extract<ControlOperation, 'stop' | 'kill' | 'cancel'>;

interface OperationText {
  readonly summary: string;
  readonly about: string;
  readonly done: string;
  readonly example: string;
}

const AUDIT =
  'It asks before it acts, unless --yes is given. Only root and the server user may use it. The operation is recorded on the Job and in the log of the plugin, with the name of the user who logged in and typed it.';

const TEXTS: Readonly<Record<Operation, OperationText>> = {
  stop: {
    summary: 'Stops running jobs: their programs get TERM, and KILL after the grace period.',
    about: `Does what the launcher does for a stop. The output stays readable, and the job ends as Finished. ${AUDIT}`,
    done: 'stopped',
    example: 'Let a session save its work and end.',
  },
  kill: {
    summary: 'Kills running jobs: their programs get KILL at once.',
    about: `Does what the launcher does for a kill: it runs kill in the container, and deletes the pod if that does not end the program. The job ends as Killed. ${AUDIT}`,
    done: 'killed',
    example: 'End a program that ignores TERM.',
  },
  cancel: {
    summary: 'Cancels jobs that are Pending: they never start.',
    about: `Does what the launcher does for a cancel: it suspends the Job, so that no pod starts. The job ends as Canceled. ${AUDIT}`,
    done: 'canceled',
    example: 'Remove a job that waits for a node that will never exist.',
  },
};

function controlCommand(operation: Operation): Command {
  const { summary, about, example } = TEXTS[operation];
  return {
    name: operation,
    summary,
    about,
    words: ['ID...'],
    flags: [{ name: 'yes', short: 'y', doc: 'Do not ask.' }],
    examples: [[`sudo rstudio-kubernetes-launcher ${operation} session-jane-x7k2q9w1ab`, example]],
    run: (args, context, terminal) => runControl(operation, args, context, terminal),
  };
}

export const stopCommand = controlCommand('stop');
export const killCommand = controlCommand('kill');
export const cancelCommand = controlCommand('cancel');

async function runControl(
  operation: Operation,
  args: Arguments,
  context: CommandContext,
  terminal: Terminal,
): Promise<number> {
  const ids = [...new Set(args.words)];
  const isForced = args.flags.has('yes');
  if (!isForced && terminal.ask === undefined)
    throw new UsageError(`${operation}: without a terminal this command cannot ask: add --yes`);
  const typedBy = await context.loginUser();
  const options = await begin(args.options, context, terminal);
  const other = context.uid === 0 ? undefined : otherUser(options.serverUser);
  if (other !== undefined) {
    const { serverUser } = options;
    throw new UsageError(
      `${operation}: only root and ${serverUser} may ${operation} jobs, not ${clean(other)}; use sudo`,
    );
  }
  const log = openAuditLog(options, context, terminal);
  try {
    return await withLiveJobs(options, context, terminal.say, async ({ jobs, client }) => {
      const found = ids.map((id) => findIn(jobs, id, client));
      if (!isForced && !(await isConfirmed(operation, found, terminal))) {
        terminal.say('Nothing was changed.');
        return EXIT_FAILED;
      }
      const noted = { ...log, notice: (text: string, fields?: LogFields) => log.notice(text, { ...fields, typedBy }) };
      const audited = auditedJobs(jobs, noted, context.clock);
      let failures = 0;
      for (const { id } of found) {
        const problem = await controlJob(audited, id, operation, typedBy);
        if (problem === undefined) terminal.write(`${clean(id)} ${TEXTS[operation].done}\n`);
        else terminal.say(clean(problem));
        if (problem !== undefined) failures++;
      }
      return failures === 0 ? EXIT_OK : EXIT_FAILED;
    });
  } finally {
    log.close();
  }
}

function findIn(jobs: Jobs, id: string, { namespace }: Client): Job {
  const found = jobs.list('*').find((job) => job.id === id);
  if (found === undefined) throw new JobError('job-not-found', noJob(id, namespace));
  return found;
}

/** Undefined: done. */
async function controlJob(jobs: Jobs, id: string, operation: Operation, typedBy: string): Promise<string | undefined> {
  try {
    const { complete, message } = await jobs.control(id, '*', operation, typedBy);
    return complete ? undefined : `${id}: ${message}`;
  } catch (error) {
    if (error instanceof JobError) return error.message;
    throw error;
  }
}

async function isConfirmed(operation: Operation, jobs: readonly Job[], terminal: Terminal): Promise<boolean> {
  for (const { id, name, user, status } of jobs) terminal.say(clean(`${id}  ${status}  ${user || '-'}  ${name}`));
  const ended = jobs.filter(({ status }) => TERMINAL_STATES.has(status)).length;
  const count = jobs.length === 1 ? 'this job' : `these ${jobs.length} jobs`;
  const note = ended === 0 ? '' : ` (${ended} already ended)`;
  const answer = await terminal.ask?.(`${operation} ${count}${note}? [y/N] `);
  return /^y(?:es)?$/i.test(answer?.trim() ?? '');
}

/** The log of the plugin, for the lines of this command; stderr if it cannot be written, or if the plugin logs there. */
function openAuditLog(options: Options, { clock }: CommandContext, terminal: Terminal): Logger {
  const program = programName(options.pluginName);
  const { level, format, ...destination } = logSettings(options, readLoggingConf(options));
  const writeStderr = (line: string): void => terminal.say(line);
  const log = createLogger({
    level,
    format: format === 'json' ? jsonFormat(program) : textFormat(program),
    clock,
    open: () =>
      openDestination(destination, {
        program,
        clock,
        writeStderr,
        onSyslogError: (error) => log.warning('Cannot write warnings and errors to syslog', { error }),
      }),
    fallback: writeStderr,
  });
  return log;
}

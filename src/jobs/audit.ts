/**
 * Audit log: one line for each submit, control and output read, with the requester and the result. Many refusals or output
 * reads of one user become one line, so that no user can push the lines of others out of the log; the log itself cuts long
 * fields (log-format.ts).
 */
import type { Clock } from '../system/clock.ts';
import { errorMessage } from '../system/errors.ts';
import type { Log, LogFields } from '../system/log.ts';
import type { ControlOperation, Jobs, Requester } from './contract.ts';
import { JobError } from './job-error.ts';

const DONE: Readonly<Record<ControlOperation, string>> = {
  suspend: 'Suspended a job',
  resume: 'Resumed a job',
  stop: 'Stopped a job',
  kill: 'Killed a job',
  cancel: 'Canceled a job',
};

const WINDOW_MS = 60_000;
/** Lines of one user in a minute; further ones are counted. A submit or control that succeeds always has a line. */
const LIMITED = {
  refusals: { most: 10, sentence: 'Refused more requests of a user' },
  reads: { most: 60, sentence: 'Opened more output streams of a user' },
} as const;
type Limited = keyof typeof LIMITED;
/** Users with such lines in the last minute. */
const MAX_USERS = 1_000;

/** Logs every submit, control and output read, refused ones too. Arguments, environment and stdin are not logged: they hold secrets. */
export function auditedJobs(jobs: Jobs, log: Log, clock: Clock): Jobs {
  const limited = new LimitedLines(log, clock);
  const write = (sentence: string, fields: LogFields): void => log.notice(sentence, fields);
  const refuse = (sentence: string, fields: LogFields, error: unknown): void =>
    limited.add('refusals', userOf(fields), () => write(sentence, { ...fields, ...refusal(error) }));
  return {
    ...jobs,
    list: (requester) => {
      limited.report();
      return jobs.list(requester);
    },
    submit: async (request, requester, timeoutMs, requestedBy) => {
      const asked = {
        user: request.user,
        ...identity(requester, requestedBy),
        name: request.name,
        image: request.container?.image,
      };
      try {
        const job = await jobs.submit(request, requester, timeoutMs, requestedBy);
        write('Submitted a job', { ...asked, image: job.container?.image, job: job.id });
        return job;
      } catch (error) {
        refuse('Did not submit a job', asked, error);
        throw error;
      }
    },
    control: async (id, requester, operation, recordedUser) => {
      const who = identity(requester, recordedUser);
      try {
        const { user, container } = jobs.find(id, requester);
        const result = await jobs.control(id, requester, operation, recordedUser);
        const facts = { user, ...who, job: id, image: container?.image, reason: result.message || undefined };
        write(result.complete ? DONE[operation] : `Could not ${operation} a job`, facts);
        return result;
      } catch (error) {
        refuse(`Could not ${operation} a job`, { ...who, job: id }, error);
        throw error;
      }
    },
    output: (id, requester, signal, requestedBy) => {
      const who = identity(requester, requestedBy);
      try {
        const output = jobs.output(id, requester, signal, requestedBy);
        const facts = { user: jobs.find(id, requester).user, ...who, job: id };
        limited.add('reads', userOf(facts), () => write('Reading the output of a job', facts));
        return output;
      } catch (error) {
        refuse('Did not read the output of a job', { ...who, job: id }, error);
        throw error;
      }
    },
  };
}

/** The user of a request; an administrator's request for all jobs (`*`) names them separately. */
function identity(requester: Requester, requestedBy: string | undefined): LogFields {
  return requestedBy === undefined || requestedBy === requester
    ? { requester }
    : { requester: requestedBy, as: requester };
}

/** The user that lines are counted for: only an administrator may act for another one. */
function userOf({ requester, as = '*' }: LogFields): string {
  return String(as === '*' ? requester : as);
}

interface LineWindow {
  readonly kind: Limited;
  readonly user: string;
  readonly endsAt: number;
  count: number;
}

/** Lines by kind, user and minute. The counted ones are reported with the next request after the minute. */
class LimitedLines {
  readonly #log: Log;
  readonly #clock: Clock;
  /** The oldest window first. */
  readonly #windows = new Map<string, LineWindow>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  add(kind: Limited, user: string, write: () => void): void {
    this.report();
    const key = `${kind} ${user}`;
    const window = this.#windows.get(key) ?? { kind, user, endsAt: this.#clock.monotonic() + WINDOW_MS, count: 0 };
    window.count++;
    this.#windows.set(key, window);
    if (window.count <= LIMITED[kind].most) write();
    const [oldest] = this.#windows;
    if (this.#windows.size > MAX_USERS && oldest !== undefined) this.#end(...oldest);
  }

  /** Reports and ends the windows that are over. */
  report(): void {
    for (const [key, window] of this.#windows) {
      if (window.endsAt > this.#clock.monotonic()) return;
      this.#end(key, window);
    }
  }

  #end(key: string, { kind, user, count }: LineWindow): void {
    this.#windows.delete(key);
    const { most, sentence } = LIMITED[kind];
    if (count > most) this.#log.notice(sentence, { requester: user, [kind]: count - most, seconds: WINDOW_MS / 1000 });
  }
}

function refusal(error: unknown): { readonly code: string; readonly reason: string } {
  return error instanceof JobError
    ? { code: error.code, reason: error.logged }
    : { code: 'unexpected', reason: errorMessage(error) };
}

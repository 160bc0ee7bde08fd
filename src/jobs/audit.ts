/**
 * Audit log: one line for each submit, control and output read, with the requester and the result. Many refusals of one user
 * become one line, so that no user can push the lines of others out of the log; the log itself cuts long fields (log-format.ts).
 */
import type { Clock } from '../system/clock.ts';
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
/** Refusals of one user that are logged in a minute; further ones are counted. */
const MAX_REFUSALS = 10;
/** Users with refusals in the last minute. */
const MAX_USERS = 1_000;

/** Logs every submit, control and output read, refused ones too. Arguments, environment and stdin are not logged: they hold secrets. */
export function auditedJobs(jobs: Jobs, log: Log, clock: Clock): Jobs {
  const refusals = new Refusals(log, clock);
  const write = (sentence: string, fields: LogFields): void => log.notice(sentence, fields);
  const refuse = (sentence: string, fields: LogFields, error: unknown): void => {
    const user = String(fields['requester']);
    refusals.add(user, () => write(sentence, { ...fields, ...refusal(error) }));
  };
  return {
    ...jobs,
    list: (requester) => {
      refusals.report();
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
        write('Reading the output of a job', { user: jobs.find(id, requester).user, ...who, job: id });
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

interface RefusalWindow {
  readonly endsAt: number;
  count: number;
}

/** Refusals by user and minute. The counted ones are reported with the next request after the minute. */
class Refusals {
  readonly #log: Log;
  readonly #clock: Clock;
  /** The oldest window first. */
  readonly #windows = new Map<string, RefusalWindow>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  add(user: string, write: () => void): void {
    this.report();
    const window = this.#windows.get(user) ?? { endsAt: this.#clock.monotonic() + WINDOW_MS, count: 0 };
    window.count++;
    this.#windows.set(user, window);
    if (window.count <= MAX_REFUSALS) write();
    const [oldest] = this.#windows;
    if (this.#windows.size > MAX_USERS && oldest !== undefined) this.#end(...oldest);
  }

  /** Reports and ends the windows that are over. */
  report(): void {
    for (const [user, window] of this.#windows) {
      if (window.endsAt > this.#clock.monotonic()) return;
      this.#end(user, window);
    }
  }

  #end(user: string, { count }: RefusalWindow): void {
    this.#windows.delete(user);
    if (count <= MAX_REFUSALS) return;
    const fields = { requester: user, refusals: count - MAX_REFUSALS, seconds: WINDOW_MS / 1000 };
    this.#log.notice('Refused more requests of a user', fields);
  }
}

function refusal(error: unknown): { readonly code: string; readonly reason: string } {
  return error instanceof JobError
    ? { code: error.code, reason: error.logged }
    : { code: 'unexpected', reason: error instanceof Error ? error.message : String(error) };
}

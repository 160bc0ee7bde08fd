/**
 * Jobs as JSON for one message. In a list that does not fit, long values are shortened, the longest first, so that one user's
 * large jobs do not keep others from seeing a list (launcher-plugin-api.md section 0).
 */
import { type Job, jobWriter } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import { isObject } from '../system/json.ts';

interface JobListContext {
  readonly maxMessageSize: number;
  /** The minor version of the launcher's API. */
  readonly minor: number;
  /** Fields that the request asks for; empty: all. */
  readonly fields: readonly string[];
}

/** Upper bound for all of a list of jobs but the jobs. */
const ENVELOPE_BYTES = 200;

/** Fields with values that are shortened. */
const LONG_FIELDS = ['args', 'command', 'environment', 'initContainers', 'metadata'] as const;

/** A value is shortened to this number of characters first, then to a quarter of it, and so on. */
const FIRST_LENGTH = 256 * 1024;

/** Values of this length are complete in every list. */
const MIN_LENGTH = 64;

/** The job as JSON, complete. Throws JobError if it does not fit into one message. */
export function encodeJob(job: Job, context: JobListContext): readonly string[] {
  const json = JSON.stringify(jobWriter(context.minor, context.fields)(job));
  if (Buffer.byteLength(json) + ENVELOPE_BYTES > context.maxMessageSize) throw tooLarge('the job does', context);
  return [json];
}

/**
 * Each job as JSON. Throws JobError if they do not fit into one message with short values. `skipped` is called for each job
 * that cannot be encoded.
 */
export function encodeJobs(
  jobs: readonly Job[],
  context: JobListContext,
  skipped: (job: Job, error: unknown) => void,
): readonly string[] {
  for (
    let longest = Number.POSITIVE_INFINITY;
    longest >= MIN_LENGTH;
    longest = Math.min(longest, FIRST_LENGTH * 4) / 4
  ) {
    const encoded = mayFit(jobs, longest, context) ? encodedWithin(jobs, longest, context, skipped) : undefined;
    if (encoded !== undefined) return encoded;
  }
  throw tooLarge(`the ${jobs.length} jobs do`, context);
}

/** False if the long values alone are too large: they are counted without being encoded. */
function mayFit(jobs: readonly Job[], longest: number, { maxMessageSize, fields }: JobListContext): boolean {
  if (fields.length > 0) return true;
  let characters = 0;
  for (const { args, command, environment } of jobs) {
    characters += Math.min(command.length, longest);
    for (const arg of args) characters += Math.min(arg.length, longest);
    for (const { value } of environment) characters += Math.min(value.length, longest);
    if (characters > maxMessageSize) return false;
  }
  return true;
}

/** The jobs with no value longer than `longest`; undefined if they do not fit. */
function encodedWithin(
  jobs: readonly Job[],
  longest: number,
  { maxMessageSize, minor, fields }: JobListContext,
  skipped: (job: Job, error: unknown) => void,
): readonly string[] | undefined {
  const write = jobWriter(minor, fields);
  const encoded: string[] = [];
  const failures: (() => void)[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const job of jobs) {
    try {
      const json = JSON.stringify(shortenedFields(write(job), longest));
      bytes += Buffer.byteLength(json) + 1;
      encoded.push(json);
    } catch (error) {
      failures.push(() => skipped(job, error));
    }
    if (bytes > maxMessageSize) return undefined;
  }
  for (const report of failures) report();
  return encoded;
}

function shortenedFields(job: object, longest: number): object {
  if (longest === Number.POSITIVE_INFINITY) return job;
  const long = LONG_FIELDS.filter((name) => Object.hasOwn(job, name));
  const fields = job as Readonly<Record<string, unknown>>;
  return { ...job, ...Object.fromEntries(long.map((name) => [name, shortened(fields[name], longest)])) };
}

/** The value with every string in it cut; a cut string ends with a mark that says so. */
function shortened(value: unknown, longest: number): unknown {
  if (typeof value === 'string') {
    return value.length <= longest
      ? value
      : `${value.slice(0, longest).toWellFormed()}... (shortened from ${value.length} characters)`;
  }
  if (Array.isArray(value)) return value.map((element) => shortened(element, longest));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shortened(inner, longest)]));
}

function tooLarge(what: string, { maxMessageSize }: JobListContext): JobError {
  return new JobError(
    'invalid-request',
    `${what} not fit into a message of ${maxMessageSize} bytes ` +
      '(max-message-size); ask for less with fields, tags, statuses, startTime or endTime',
  );
}

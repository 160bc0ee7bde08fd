/**
 * Jobs as JSON for one message, built in slices: a list of large jobs takes as long as hundreds of other answers. In a list
 * that does not fit, long strings and lists are shortened, so that one user's large jobs do not keep others from seeing a
 * list (launcher-plugin-api.md section 0).
 */
import type { Jobs } from '../jobs/contract.ts';
import { type Job, jobWriter, writtenFields } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import { LEVELS, type Level, LONG_FIELDS, leastBytesOfJob, shortenedJob, WHOLE } from './job-levels.ts';
import { type JsonChunks, JsonText, writeJson } from './json-chunks.ts';
import { Pace, type SlicedBuild } from './sliced-build.ts';

interface JobListContext {
  readonly maxMessageSize: number;
  /** The minor version of the launcher's API. */
  readonly minor: number;
  /** Fields that the request asks for; empty: all. */
  readonly fields: readonly string[];
}

export interface JobList {
  /** By id in byte order. */
  readonly jobs: readonly Job[];
  /** Is a job that has changed meanwhile still in the list? */
  readonly accepts: (job: Job) => boolean;
  readonly onChange: Jobs['onChange'];
}

/** Upper bound for all of a list of jobs but the jobs. */
const ENVELOPE_BYTES = 200;

/** A job with more than this is written in slices. */
const LARGE_JOB_BYTES = 64 * 1024;

/** Neighbors in a list share blocks of this size: what is encoded again when one of them changes meanwhile. */
const BLOCK_BYTES = 8 * 1024;

/** For each job, beside the bytes of its JSON: what reading its fields costs. */
const BYTES_OF_A_JOB = 256;

/** The job as JSON, complete. Throws JobError if it does not fit into one message. */
export function* encodeJob(job: Job, onChange: Jobs['onChange'], context: JobListContext): SlicedBuild<JsonChunks> {
  const raise = (_: Job, error: unknown): never => {
    throw error;
  };
  const list = new ChangingList({ jobs: [job], accepts: () => true, onChange });
  try {
    const chunks = yield* encodedWithin(list, WHOLE, context, raise);
    if (chunks === undefined) throw tooLarge('the job does', context);
    return chunks;
  } finally {
    list.end();
  }
}

/**
 * Each job as JSON, in the state at the end. Throws JobError if they do not fit into one message with short values. `skipped`
 * is called for each job that cannot be encoded.
 */
export function* encodeJobs(
  list: JobList,
  context: JobListContext,
  skipped: (job: Job, error: unknown) => void,
): SlicedBuild<JsonChunks> {
  const changing = new ChangingList(list);
  try {
    for (const level of LEVELS.slice(yield* firstLevel(list.jobs, context))) {
      const encoded = yield* encodedWithin(changing, level, context, skipped);
      if (encoded !== undefined) return encoded;
    }
    throw tooLarge(`the ${list.jobs.length} jobs do`, context);
  } finally {
    changing.end();
  }
}

/** Index of the first level at which the jobs may fit: strings are counted without being encoded. */
function* firstLevel(jobs: readonly Job[], context: JobListContext): SlicedBuild<number> {
  const names = writtenFields(context.fields);
  const long = names.filter((name) => LONG_FIELDS.has(name));
  if (yield* mayFit(jobs, long, WHOLE, context)) return 0;
  let tooLarge = 0;
  let enough = LEVELS.length;
  while (enough - tooLarge > 1) {
    const middle = (tooLarge + enough) >> 1;
    if (yield* mayFit(jobs, names, LEVELS[middle] ?? WHOLE, context)) enough = middle;
    else tooLarge = middle;
  }
  return enough;
}

function* mayFit(
  jobs: readonly Job[],
  names: readonly (keyof Job)[],
  level: Level,
  { maxMessageSize }: JobListContext,
): SlicedBuild<boolean> {
  const pace = new Pace();
  let bytes = 0;
  for (const job of jobs) {
    const added = leastBytesOfJob(job, names, level);
    bytes += added;
    if (bytes > maxMessageSize) return false;
    if (pace.isOver((added + BYTES_OF_A_JOB) / 8)) yield 'more';
  }
  return true;
}

/** A list with jobs that change while it is encoded. */
class ChangingList {
  readonly length: number;
  /** Called with the index of each job that changes. */
  changed: (index: number) => void = () => {};
  /** Must be called. */
  readonly end: () => void;
  readonly #list: JobList;
  readonly #latest = new Map<string, Job>();

  constructor(list: JobList) {
    this.#list = list;
    this.length = list.jobs.length;
    this.end = list.onChange((job) => {
      const index = indexOf(job.id, list.jobs);
      if (index === undefined) return;
      this.#latest.set(job.id, job);
      this.changed(index);
    });
  }

  /** The job as it is now; undefined: it is no longer in the list. */
  at(index: number): Job | undefined {
    const listed = this.#list.jobs[index];
    const job = listed && (this.#latest.get(listed.id) ?? listed);
    return job !== undefined && this.#list.accepts(job) ? job : undefined;
  }
}

/** Neighboring jobs of a list, and their JSON. */
interface Block {
  readonly from: number;
  to: number;
  json: JsonText;
}

/** The jobs at this level, those that change meanwhile as they are at the end; undefined if they do not fit. */
function* encodedWithin(
  list: ChangingList,
  level: Level,
  context: JobListContext,
  skipped: (job: Job, error: unknown) => void,
): SlicedBuild<JsonChunks | undefined> {
  const write = jobEncoder(level, context);
  const blocks: Block[] = [];
  const stale = new Set<Block>();
  const failures = new Map<string, () => void>();
  let bytes = ENVELOPE_BYTES;

  function* fill(block: Block, end: number, most: number): SlicedBuild<void> {
    const json = new JsonText();
    for (block.to = block.from; block.to < end && json.bytes < most; ) {
      const job = list.at(block.to++);
      if (job === undefined) continue;
      const before = json.mark();
      try {
        yield* write(job, json);
      } catch (error) {
        json.backTo(before);
        failures.set(job.id, () => skipped(job, error));
      }
    }
    json.end();
    bytes += json.bytes - block.json.bytes;
    block.json = json;
  }

  list.changed = (index) => {
    const block = blocks.findLast(({ from }) => from <= index);
    if (block !== undefined && index < block.to) stale.add(block);
  };
  for (let from = 0; from < list.length; from = blocks.at(-1)?.to ?? list.length) {
    const block: Block = { from, to: from, json: new JsonText() };
    blocks.push(block);
    yield* fill(block, list.length, BLOCK_BYTES);
    if (bytes > context.maxMessageSize) return undefined;
  }
  // However often the jobs change, this ends.
  let pauses = blocks.length;
  for (let hasPaused = true; hasPaused; ) {
    yield 'ready';
    hasPaused = false;
    for (const block of stale) {
      stale.delete(block);
      for (const pause of fill(block, block.to, Number.POSITIVE_INFINITY)) {
        if (pauses-- <= 0) continue;
        hasPaused = true;
        yield pause;
      }
      if (bytes > context.maxMessageSize) return undefined;
    }
  }
  for (const report of failures.values()) report();
  return withoutComma(blocks.flatMap(({ json }) => json.chunks));
}

/** Writes a job with a comma before it. */
function jobEncoder(level: Level, { minor, fields }: JobListContext): (job: Job, json: JsonText) => SlicedBuild<void> {
  const pace = new Pace();
  const write = jobWriter(minor, fields);
  const names = writtenFields(fields);
  const long = names.filter((name) => LONG_FIELDS.has(name));
  return function* (job, json) {
    const form = level === WHOLE ? job : shortenedJob(job, names, level);
    const isLarge = leastBytesOfJob(form, long, WHOLE) > LARGE_JOB_BYTES;
    const value = write(form);
    json.add(',');
    if (isLarge) {
      yield* writeJson(value, json, pace);
      return;
    }
    const text = JSON.stringify(value);
    json.add(text);
    if (pace.isOver(text.length + BYTES_OF_A_JOB)) yield 'more';
  };
}

/** Index of the job of this id; undefined: it is not in the list. */
function indexOf(id: string, jobs: readonly Job[]): number | undefined {
  let from = 0;
  let end = jobs.length;
  while (from < end) {
    const middle = (from + end) >> 1;
    if ((jobs[middle]?.id ?? '') < id) from = middle + 1;
    else end = middle;
  }
  return jobs[from]?.id === id ? from : undefined;
}

function withoutComma([first, ...others]: JsonChunks): JsonChunks {
  if (first === undefined) return [];
  return [typeof first === 'string' ? first.slice(1) : first.subarray(1), ...others];
}

function tooLarge(what: string, { maxMessageSize }: JobListContext): JobError {
  return new JobError(
    'invalid-request',
    `${what} not fit into a message of ${maxMessageSize} bytes ` +
      '(max-message-size); ask for less with fields, tags, statuses, startTime or endTime',
  );
}

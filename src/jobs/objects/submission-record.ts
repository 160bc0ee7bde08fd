/**
 * What cannot be read back from the Kubernetes objects of a job and so is kept in annotation job-launcher/job: the
 * `persisted` fields of the job table, and how command lines were made. Anybody may have edited it.
 */
import { isObject, jsonIn } from '../../system/json.ts';
import { omitEmpty } from '../../system/omit-empty.ts';
import {
  boolean,
  choice,
  type Infer,
  type InferPersisted,
  integer,
  list,
  object,
  persistedFields,
  persistFields,
  restoreFields,
  text,
} from '../../system/schema.ts';
import { INIT_CONTAINER, type InitContainer, JOB, type JobRequest } from '../job.ts';

const PROGRAMS = ['command', 'exe', 'image'] as const;

/** Where nothing is recorded, a shell with a line runs a command, as in Jobs of other plugins. */
const UNRECORDED = 'command';

const RUN = {
  /** What the job was asked to run: a command line, a program, or the one of the image. */
  run: choice('command, exe or image', new Map(PROGRAMS.map((program) => [program, program]))).default(UNRECORDED),
  /** Of a command: how many UTF-16 units each argument has at the end of the command line. One wrong length makes all wrong. */
  split: list(integer())
    .map((lengths) => lengths)
    .optional(),
};

const INIT_RECORD = { ...persistedFields(INIT_CONTAINER), ...RUN };

const RECORD = {
  ...RUN,
  ...persistedFields(JOB),
  initContainers: list(object(INIT_RECORD)).optional(),
  /** Of a Job that a template made: what the job was asked to run, and the names of its variables. */
  command: text().optional(),
  exe: text().optional(),
  args: list(text()).optional(),
  variables: list(text()).optional(),
  /** The input waits in the Secret `<id>-stdin` and is due when the container runs. */
  stdin: boolean().optional(),
};

/** Bytes of command, arguments and names of variables that a record keeps. */
const LONGEST_COMMAND = 131_072;

/** How the command line of a container was made. */
export type RunRecord = Infer<typeof RUN>;
export type InitContainerRecord = RunRecord & InferPersisted<typeof INIT_CONTAINER> & Pick<InitContainer, 'name'>;
export type SubmissionRecord = RunRecord &
  InferPersisted<typeof JOB> & {
    readonly initContainers?: readonly InitContainerRecord[];
    readonly command?: string;
    readonly exe?: string;
    readonly args?: readonly string[];
    readonly variables?: readonly string[];
    readonly stdin?: boolean;
  };

export function recordOf(
  request: JobRequest,
  run: RunRecord,
  initContainers: readonly InitContainerRecord[],
  isTemplate: boolean,
): SubmissionRecord {
  const stdin = request.stdin === '' ? undefined : true;
  const { command, exe, args, environment } = request;
  const asked = { command, exe, args, variables: environment.map(({ name }) => name) };
  // A template runs it in its own way. What is too long for an annotation is read back from the container.
  const isKept = isTemplate && Buffer.byteLength(JSON.stringify(asked)) <= LONGEST_COMMAND;
  return {
    ...run,
    ...persistFields(JOB, request),
    ...omitEmpty({ initContainers, stdin }),
    ...(isKept ? asked : {}),
  };
}

export function initRecordOf(init: InitContainer, run: RunRecord): InitContainerRecord {
  return { name: init.name, ...persistFields(INIT_CONTAINER, init), ...run };
}

/** The record in an annotation, and the names of its malformed fields, for the log. */
export function readRecord(annotation: string | undefined): {
  readonly record?: SubmissionRecord;
  readonly malformed?: string;
} {
  if (annotation === undefined) return {};
  const value = jsonIn(annotation);
  if (!isObject(value)) return { malformed: 'all of it' };
  const malformed = new Set<string>();
  const { run = UNRECORDED, ...others } = restoreFields(RECORD, value, (name) => malformed.add(name));
  return { record: { run, ...others }, ...(malformed.size === 0 ? {} : { malformed: [...malformed].join(', ') }) };
}

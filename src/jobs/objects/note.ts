/**
 * What cannot be read back from the objects of a job and so stands on its Job (`job-launcher/job`). Jobs are copied and
 * changed by people, tools and other versions: what is not of its kind is left out, item by item, and the rest counts.
 */
import { isObject, jsonIn } from '../../system/json.ts';
import type { ExposedPort, JobConfig, Mount, PlacementConstraint, ResourceLimit } from '../job.ts';
import { listOf } from './members.ts';

/**
 * Members that say nothing are left out. That each is written, the type of `noteOf` (manifest.ts) tells; that each is
 * checked, the type of the table below; that it is read, `recoverRequest` takes all that a request has.
 */
export interface JobNote {
  /** Which of the two the job was asked to run. */
  readonly run: 'command' | 'exe' | 'image';
  /** Of a command: how many UTF-16 units each argument has at the end of the command line. */
  readonly split?: readonly number[];
  readonly group?: string;
  readonly cluster?: string;
  readonly config?: readonly JobConfig[];
  readonly exposedPorts?: readonly ExposedPort[];
  readonly host?: string;
  readonly initContainers?: readonly InitContainerNote[];
  readonly instanceId?: string;
  readonly mounts?: readonly Mount[];
  readonly placementConstraints?: readonly PlacementConstraint[];
  readonly queues?: readonly string[];
  readonly resourceLimits?: readonly ResourceLimit[];
  readonly resourceProfile?: string;
  /** Text waits in the Secret `<id>-stdin` and is due when the container runs. */
  readonly stdin?: true;
  readonly stderrFile?: string;
  readonly stdoutFile?: string;
  readonly systemJob?: true;
  readonly pid?: number;
}

export interface InitContainerNote {
  readonly name: string;
  readonly run: JobNote['run'];
  readonly split?: readonly number[];
  readonly mounts?: readonly Mount[];
}

type Is<T> = (value: unknown) => value is T;
/** Reads a value; undefined if it is not of its kind. Whatever is left out is told to `odd`. */
type Read<T> = (value: unknown, odd: () => void) => T | undefined;

const text: Is<string> = (value) => typeof value === 'string';
const whole: Is<number> = (value): value is number => Number.isSafeInteger(value);
const yes: Is<true> = (value) => value === true;
const oneOf =
  <const T extends string>(...words: readonly T[]): Is<T> =>
  (value): value is T =>
    words.some((word) => word === value);
const optional =
  <T>(is: Is<T>): Is<T | undefined> =>
  (value) =>
    value === undefined || is(value);
const object =
  <T extends object>(members: { readonly [K in keyof T]-?: Is<T[K]> }): Is<T> =>
  (value): value is T =>
    isObject(value) && Object.entries<Is<unknown>>(members).every(([name, is]) => is(value[name]));

const config = object<JobConfig>({
  name: text,
  valueType: optional(oneOf('string', 'int', 'float', 'enum')),
  value: text,
});
const exposedPort = object<ExposedPort>({ targetPort: whole, publishedPort: optional(whole), protocol: text });
const mount = object<Mount>({
  name: optional(text),
  mountPath: text,
  readOnly: (value) => typeof value === 'boolean',
  type: text,
  source: isObject,
  shape: oneOf('flat', 'mountSource'),
});
const placementConstraint = object<PlacementConstraint>({ name: text, value: text, defaultValue: optional(text) });
const resourceLimit = object<ResourceLimit>({
  type: text,
  value: text,
  defaultValue: optional(text),
  maxValue: optional(text),
});
/** One length that is not one makes the others wrong. */
const lengths = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(whole);

const only =
  <T>(is: Is<T>): Read<T> =>
  (value, odd) => {
    if (is(value)) return value;
    odd();
    return undefined;
  };
const list =
  <T>(read: Read<T>): Read<readonly T[]> =>
  (value, odd) => {
    if (Array.isArray(value)) return listOf(value.map((item) => read(item, odd)).filter((item) => item !== undefined));
    odd();
    return undefined;
  };

type Table<T> = { readonly [K in keyof T]-?: Read<Exclude<T[K], undefined>> };

const INIT_CONTAINER: Table<InitContainerNote> = {
  name: only(text),
  run: only(oneOf('command', 'exe', 'image')),
  split: only(lengths),
  mounts: list(only(mount)),
};

const initContainer: Read<InitContainerNote> = (value, odd) => {
  const { name, run, ...others } = membersOf(INIT_CONTAINER, isObject(value) ? value : {}, odd);
  if (name !== undefined) return { name, run: run ?? UNTOLD, ...others };
  odd();
  return undefined;
};

const NOTE: Table<JobNote> = {
  run: INIT_CONTAINER.run,
  split: INIT_CONTAINER.split,
  group: only(text),
  cluster: only(text),
  config: list(only(config)),
  exposedPorts: list(only(exposedPort)),
  host: only(text),
  initContainers: list(initContainer),
  instanceId: only(text),
  mounts: INIT_CONTAINER.mounts,
  placementConstraints: list(only(placementConstraint)),
  queues: list(only(text)),
  resourceLimits: list(only(resourceLimit)),
  resourceProfile: only(text),
  stdin: only(yes),
  stderrFile: only(text),
  stdoutFile: only(text),
  systemJob: only(yes),
  pid: only(whole),
};

/** Where it is not told what was asked to run: a shell with a line runs a command, as in Jobs without a note. */
const UNTOLD = 'command';

/** The members of a table that are of their kind; the names of the others are told. */
function membersOf<T extends object>(
  table: Table<T>,
  values: Readonly<Record<string, unknown>>,
  odd: (member: string) => void,
): Partial<T> {
  const members: Record<string, unknown> = {};
  for (const [name, read] of Object.entries<Read<unknown>>(table)) {
    if (values[name] === undefined) continue;
    const value = read(values[name], () => odd(name));
    if (value !== undefined) members[name] = value;
  }
  return members as Partial<T>;
}

/** What an annotation notes of a job, and what of it is not ours: names of members, for the log. */
export function readNote(annotation: string | undefined): { readonly note?: JobNote; readonly odd?: string } {
  if (annotation === undefined) return {};
  const value = jsonIn(annotation);
  if (!isObject(value)) return { odd: 'all of it' };
  const odd = new Set<string>();
  const { run = UNTOLD, ...others } = membersOf(NOTE, value, (member) => odd.add(member));
  return { note: { run, ...others }, ...(odd.size === 0 ? {} : { odd: [...odd].join(', ') }) };
}

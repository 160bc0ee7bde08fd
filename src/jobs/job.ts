/**
 * The one table of a launcher job (docs/launcher-plugin-api.md section 6): from it follow its types, reading a submit, writing
 * a job for a launcher, showing it to people, and what of it is kept on its Kubernetes Job. In the order of writing.
 */
import { formatDate, parseDate } from '../system/dates.ts';
import {
  anyObject,
  boolean,
  choice,
  FieldError,
  type Infer,
  type InferRead,
  integer,
  list,
  object,
  readFields,
  Schema,
  set,
  showFields,
  text,
  trimmedString,
  trimWhitespace,
  writeFields,
  wrongContent,
} from '../system/schema.ts';
import { type MountSource, mountTypeOf } from './objects/mount-types.ts';

/** Exact spelling of the protocol. */
export const JOB_STATES = ['Pending', 'Running', 'Suspended', 'Finished', 'Failed', 'Killed', 'Canceled'] as const;

export type JobState = (typeof JOB_STATES)[number];

/** States that never change again. */
export const TERMINAL_STATES: ReadonlySet<JobState> = new Set(['Finished', 'Failed', 'Killed', 'Canceled']);

const STATES = new Map(JOB_STATES.map((state) => [state.toLowerCase(), state] as const));

/** The state of this name, in any case and with whitespace around it; '' is the unknown state; undefined: no state. */
export function parseState(value: string): JobState | '' | undefined {
  const name = trimWhitespace(value).toLowerCase();
  return name === '' ? '' : STATES.get(name);
}

const state: Schema<JobState | undefined> = text().map((value) => {
  const parsed = parseState(value);
  if (parsed === undefined) throw wrongContent(value, `one of ${JOB_STATES.join(', ')}`);
  return parsed === '' ? undefined : parsed;
});

/** Milliseconds since 1970. */
export const date: Schema<number> = text()
  .map((value) => {
    const ms = parseDate(value);
    if (ms === undefined) throw wrongContent(value, 'a date such as 2026-01-02T03:04:05Z');
    return ms;
  }, 'a date such as 2026-01-02T03:04:05Z')
  .with({ write: formatDate });

const VALUE_TYPES = ['string', 'int', 'float', 'enum'] as const;
const valueType = text().map((value) => {
  const known = VALUE_TYPES.find((type) => type === trimWhitespace(value));
  if (known === undefined) throw wrongContent(value, `one of ${VALUE_TYPES.join(', ')}`);
  return known;
});

const namesOf = (items: readonly { readonly name: string }[]): readonly string[] => items.map(({ name }) => name);

/**
 * The most items of each list of a job: more than any job needs, and few enough that every step of making its objects is
 * fast (launcher-plugin-api.md section 6).
 */
const MOST = {
  variables: 10_000,
  config: 1_000,
  groups: 1_000,
  capabilities: 100,
  ports: 1_000,
  initContainers: 100,
  mounts: 1_000,
  constraints: 1_000,
  limits: 100,
  names: 10_000,
} as const;

const NAME_AND_VALUE = { name: text(), value: text() };
const environment = list(object(NAME_AND_VALUE), { max: MOST.variables }).default([]).with({ show: namesOf });

export const CONFIG = { name: text(), valueType: valueType.optional(), value: text().default('').omitEmpty() };

/** Of a user or group: the range of Kubernetes. */
const ID = integer(0, 2_147_483_647);

const CONTAINER = {
  image: text(),
  runAsUserId: ID.optional(),
  runAsGroupId: ID.optional(),
  supplementalGroupIds: list(ID, { max: MOST.groups }).optional().omitEmpty(),
  capabilitiesAdd: list(text(), { max: MOST.capabilities }).optional().omitEmpty(),
  capabilitiesDrop: list(text(), { max: MOST.capabilities }).optional().omitEmpty(),
};

/** `{}` is no container. */
const anyContainer: Schema<Container | undefined> = object(CONTAINER);
const container = anyContainer.with({
  read: (value) => (Object.keys(anyObject().read(value)).length === 0 ? undefined : anyContainer.read(value)),
});

/** The range of ports is checked where the Service is described (objects/service.ts), with a sentence of its own. */
const EXPOSED_PORT = {
  targetPort: integer(),
  publishedPort: integer().optional(),
  protocol: text().default('TCP'),
};

/** `defaultValue` is of Cluster info only. */
export const PLACEMENT_CONSTRAINT = {
  name: text(),
  value: text().default('').omitEmpty(),
  defaultValue: text().optional().omitEmpty().reported(),
};

/** `defaultValue` and `maxValue` are of Cluster info only. */
export const RESOURCE_LIMIT = {
  /** `cpuCount`, `memory` (MB), `CPU Request`, `Memory Request`, `NVIDIA GPUs`, `AMD GPUs`, or any other name. */
  type: text(),
  value: text().default('').omitEmpty(),
  defaultValue: text().optional().omitEmpty().reported(),
  maxValue: text().optional().omitEmpty().reported(),
};

export interface Mount {
  readonly name?: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  /** A type of objects/mount-types.ts, `passthrough`, or any other name. */
  readonly type: string;
  readonly source: MountSource;
  /** The form it came in: `type` and `source` beside `mountPath`, or nested in `mountSource`; written back likewise. */
  readonly shape: 'flat' | 'mountSource';
}

const PLACE = { mountPath: text(), name: text().optional(), readOnly: boolean().default(false) };
const SOURCE = { type: text(), source: anyObject() };
const SHAPES = ['flat', 'mountSource'] as const;
const shape = choice('flat or mountSource', new Map(SHAPES.map((each) => [each, each])));

const keptMount = object({ ...PLACE, ...SOURCE, shape });

/** Launchers before this minor version know mounts only with `type` and `source` beside `mountPath`. */
const MOUNT_SOURCE_SINCE_MINOR = 1;

const mount = new Schema<Mount>(
  {
    description: 'an object',
    read: (value) => {
      const given = anyObject().read(value);
      const {
        mountSource,
        name = '',
        ...others
      } = readFields({ ...PLACE, mountSource: anyObject().optional() }, given);
      const place = { ...others, ...(name === '' ? {} : { name }) };
      if (mountSource === undefined) return { ...place, ...readSource(given), shape: 'flat' };
      try {
        return { ...place, ...readSource(mountSource), shape: 'mountSource' };
      } catch (error) {
        throw error instanceof FieldError ? error.within('mountSource') : error;
      }
    },
    write: ({ name, mountPath, readOnly, type, source, shape }, minor) =>
      shape === 'flat' || minor < MOUNT_SOURCE_SINCE_MINOR
        ? { mountPath, name, readOnly, type, source }
        : { mountPath, name, readOnly, mountSource: { type, source } },
    show: ({ type, mountPath, readOnly }) => ({ type, mountPath, readOnly }),
    restore: (value, malformed) => keptMount.restore(value, malformed),
  },
  'required',
);

function readSource(given: Readonly<Record<string, unknown>>): Pick<Mount, 'type' | 'source'> {
  const { type, source } = readFields(SOURCE, given);
  const known = mountTypeOf(type);
  try {
    if (known !== undefined) readFields(known.source, source);
  } catch (error) {
    throw error instanceof FieldError ? error.within('source') : error;
  }
  return { type, source };
}

const mounts = list(mount, { max: MOST.mounts }).default([]);

export const INIT_CONTAINER = {
  name: text().persisted(),
  image: text(),
  command: text().default('').omitEmpty(),
  exe: text().default('').omitEmpty(),
  args: list(text()).default([]).omitEmpty(),
  mounts: mounts.omitEmpty().persisted(),
  environment: environment.omitEmpty(),
};

/**
 * Lists and strings that were absent are empty. A field that is not `persisted` is either rebuilt from the Kubernetes Job
 * (`image`, `environment`, `name`, `user`, `tags`: objects/from-job.ts) or dropped after the submit (`stdin`). A field that
 * is `hidden` may be a secret. A field that is `omitEmpty` is left out of messages when it is empty, as older launchers and
 * SDKs write it.
 */
export const JOB = {
  args: list(text()).default([]),
  cluster: text().default('').omitEmpty().persisted(),
  command: text().default(''),
  config: list(object(CONFIG), { max: MOST.config }).default([]).with({ show: namesOf }).persisted(),
  container: container.optional(),
  environment,
  exe: text().default(''),
  exposedPorts: list(object(EXPOSED_PORT), { max: MOST.ports }).default([]).persisted(),
  exitCode: integer().optional().reported(),
  group: text().default('').omitEmpty().persisted(),
  host: text().default('').persisted(),
  id: text().reported(),
  initContainers: list(object(INIT_CONTAINER), { max: MOST.initContainers }).default([]).omitEmpty(),
  instanceId: text().default('').omitEmpty().persisted(),
  /** Milliseconds since 1970; the newest transition in the Kubernetes objects. */
  lastUpdateTime: text()
    .map(() => 0)
    .with({ write: formatDate })
    .reported(),
  /** Any object; the labels and annotations of its `job`, `pod` and `service` go onto those objects. */
  metadata: anyObject().optional().hidden(),
  mounts: mounts.persisted(),
  name: text(),
  pid: integer().optional().persisted(),
  placementConstraints: list(object(PLACEMENT_CONSTRAINT), { max: MOST.constraints }).default([]).persisted(),
  queues: set(text(), MOST.names).default([]).persisted(),
  resourceLimits: list(object(RESOURCE_LIMIT), { max: MOST.limits }).default([]).persisted(),
  resourceProfile: text().default('').persisted(),
  /** Delivered, never kept: '' in every job that is shown. */
  stdin: text()
    .default('')
    .with({ write: () => '' })
    .hidden(),
  stderrFile: text().default('').persisted(),
  stdoutFile: text().default('').persisted(),
  status: state.reported(),
  statusCode: text().omitEmpty().reported(),
  statusMessage: text().omitEmpty().reported(),
  submissionTime: date.reported(),
  systemJob: boolean().default(false).omitEmpty().persisted(),
  tags: set(text(), MOST.names).default([]),
  user: trimmedString().default(''),
  workingDirectory: text().default(''),
};

export type NameValue = Infer<typeof NAME_AND_VALUE>;
export type JobConfig = Infer<typeof CONFIG>;
export type Container = Infer<typeof CONTAINER>;
export type ExposedPort = Infer<typeof EXPOSED_PORT>;
export type PlacementConstraint = Infer<typeof PLACEMENT_CONSTRAINT>;
export type ResourceLimit = Infer<typeof RESOURCE_LIMIT>;
export type InitContainer = Infer<typeof INIT_CONTAINER>;
/** A job as a launcher submits it. */
export type JobRequest = InferRead<typeof JOB>;
/** A job of the cluster: the request and its state. */
export type Job = Infer<typeof JOB>;

/** A request that asks for nothing. */
export const EMPTY_REQUEST: JobRequest = readFields(JOB, { name: '' });

/** Reads the job of a submit. Throws FieldError also where fields contradict each other. */
export const submittedJob: Schema<JobRequest> = anyObject().map((given) => checked(readFields(JOB, given)));

function checked(job: JobRequest): JobRequest {
  if (job.command !== '' && job.exe !== '') {
    throw new FieldError('and exe are both given; a job runs one of them', ['command']);
  }
  if (job.command === '' && job.exe === '' && job.container === undefined) {
    throw new FieldError('is missing, and so are exe and container; one of them must say what to run', ['command']);
  }
  const twice = job.initContainers.findIndex(({ command, exe }) => command !== '' && exe !== '');
  if (twice >= 0) {
    throw new FieldError('and exe are both given; a container runs one of them', ['initContainers', twice, 'command']);
  }
  const mountCount = job.initContainers.reduce((sum, init) => sum + init.mounts.length, job.mounts.length);
  if (mountCount > MOST.mounts) {
    throw new FieldError(`and the mounts of initContainers are ${mountCount}; at most ${MOST.mounts} are possible`, [
      'mounts',
    ]);
  }
  return { ...job, resourceProfile: job.resourceProfile === '' ? 'custom' : job.resourceProfile };
}

/** Names of fields that mean another one (protocol 7.4). */
const ALIASES: Readonly<Record<string, string>> = { env: 'environment' };

/** The fields that a launcher asks for, and `id` (empty: all). */
export function writtenFields(fields: readonly string[]): readonly (keyof Job)[] {
  const wanted = new Set(fields.map((name) => ALIASES[name] ?? name)).add('id');
  return (Object.keys(JOB) as (keyof Job)[]).filter((name) => fields.length === 0 || wanted.has(name));
}

/** Writes these fields of jobs for a launcher of this minor version. */
export function jobWriter(minor: number, fields: readonly string[]): (job: Job) => object {
  const table = fields.length === 0 ? JOB : Object.fromEntries(writtenFields(fields).map((name) => [name, JOB[name]]));
  return (job) => writeFields(table, job, minor);
}

/** The job for people: without input and metadata, of environment and config the names, of mounts the places. */
export const showJob = (job: Job): object => showFields(JOB, job);

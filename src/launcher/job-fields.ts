/**
 * The table of a job as it arrives in Submit (protocol sections 6 and 15).
 */
import { JOB_STATES, type Job, type JobRequest, type Mount } from '../jobs/job.ts';
import { parseDate } from './dates.ts';
import {
  anyObject,
  boolean,
  defaulted,
  FieldError,
  type Fields,
  type FieldType,
  integer,
  list,
  made,
  object,
  optional,
  readFields,
  required,
  text,
  trimBlanks,
  trimmedText,
  type Values,
  wrongContent,
} from './fields.ts';

/** A date as text that must parse; milliseconds since 1970. */
export const date: FieldType<number> = made(
  text,
  (value) => {
    const ms = parseDate(value);
    if (ms === undefined) throw wrongContent(value, 'a date such as 2026-01-02T03:04:05Z');
    return ms;
  },
  'a date such as 2026-01-02T03:04:05Z',
);

const STATES = new Map(JOB_STATES.map((state) => [state.toLowerCase(), state] as const));

/** The state that a text names, in any case and with blanks around it; '' is the unknown state; undefined: none. */
export function parseState(value: string): (typeof JOB_STATES)[number] | '' | undefined {
  const name = trimBlanks(value).toLowerCase();
  return name === '' ? '' : STATES.get(name);
}

const state = made(text, (value) => {
  const parsed = parseState(value);
  if (parsed === undefined) throw wrongContent(value, `one of ${JOB_STATES.join(', ')}`);
  return parsed;
});

const VALUE_TYPES = ['string', 'int', 'float', 'enum'] as const;
const valueType = made(text, (value) => {
  const known = VALUE_TYPES.find((type) => type === trimBlanks(value));
  if (known === undefined) throw wrongContent(value, `one of ${VALUE_TYPES.join(', ')}`);
  return known;
});

const NAME_AND_VALUE = { name: required(text), value: required(text) };

const CONFIG = { name: required(text), valueType: optional(valueType), value: defaulted(text, '') };

/** Of a user or group: what Kubernetes takes. */
const ID = integer(0, 2_147_483_647);

const CONTAINER = {
  image: required(text),
  runAsUserId: optional(ID),
  runAsGroupId: optional(ID),
  supplementalGroupIds: optional(list(ID)),
  capabilitiesAdd: optional(list(text)),
  capabilitiesDrop: optional(list(text)),
};

/** Which numbers are ports is asked where the Service is described (jobs/manifest.ts), with a sentence of its own. */
const EXPOSED_PORT = {
  targetPort: required(integer()),
  publishedPort: optional(integer()),
  protocol: defaulted(text, 'TCP'),
};

const PLACEMENT_CONSTRAINT = { name: required(text), value: defaulted(text, '') };

/** `defaultValue` and `maxValue` are of Cluster info only and ignored here. */
const RESOURCE_LIMIT = { type: required(text), value: defaulted(text, '') };

/** What the source of a mount must hold; other types are custom, and not checked. */
const MOUNT_SOURCES: Readonly<Record<string, Fields>> = {
  azureFile: { secretName: required(text), shareName: required(text) },
  cephFs: {
    monitors: required(list(text, 1)),
    path: optional(text),
    user: optional(text),
    secretFile: optional(text),
    secretRef: optional(text),
  },
  glusterFs: { endpoints: required(text), path: required(text) },
  host: { path: required(text) },
  nfs: { host: required(text), path: required(text) },
  passthrough: {},
};

const SOURCE = { type: required(text), source: required(anyObject) };

/** Type and source stand beside mountPath, or nested in mountSource. */
const MOUNT = {
  mountPath: required(text),
  name: optional(text),
  readOnly: defaulted(boolean, false),
  mountSource: optional(anyObject),
};

const mount: FieldType<Mount> = {
  description: 'an object',
  read: (value) => {
    const object = anyObject.read(value);
    const { mountSource, name, ...rest } = readFields(MOUNT, object);
    const shape = mountSource === undefined ? 'flat' : 'mountSource';
    try {
      const { type, source } = readFields(SOURCE, mountSource ?? object);
      checkSource(type, source);
      return { ...rest, ...(name ? { name } : {}), type, source, shape };
    } catch (error) {
      throw error instanceof FieldError && shape === 'mountSource' ? error.within('mountSource') : error;
    }
  },
};

function checkSource(type: string, source: Readonly<Record<string, unknown>>): void {
  if (!Object.hasOwn(MOUNT_SOURCES, type)) return;
  try {
    readFields(MOUNT_SOURCES[type] ?? {}, source);
  } catch (error) {
    throw error instanceof FieldError ? error.within('source') : error;
  }
}

const INIT_CONTAINER = {
  name: required(text),
  image: required(text),
  command: defaulted(text, ''),
  exe: defaulted(text, ''),
  args: defaulted(list(text), []),
  mounts: defaulted(list(mount), []),
  environment: defaulted(list(object(NAME_AND_VALUE)), []),
};

/** `{}` is no container. */
const container = made(anyObject, (value) =>
  Object.keys(value).length === 0 ? undefined : readFields(CONTAINER, value),
);

/** Members that a launcher may not decide (id, status ...) are checked and then not used. */
const JOB = {
  args: defaulted(list(text), []),
  cluster: defaulted(text, ''),
  command: defaulted(text, ''),
  config: defaulted(list(object(CONFIG)), []),
  container: optional(container),
  environment: defaulted(list(object(NAME_AND_VALUE)), []),
  exe: defaulted(text, ''),
  exposedPorts: defaulted(list(object(EXPOSED_PORT)), []),
  exitCode: optional(integer()),
  group: defaulted(text, ''),
  host: defaulted(text, ''),
  id: optional(text),
  initContainers: defaulted(list(object(INIT_CONTAINER)), []),
  instanceId: defaulted(text, ''),
  lastUpdateTime: optional(text),
  metadata: optional(anyObject),
  mounts: defaulted(list(mount), []),
  name: required(text),
  pid: optional(integer()),
  placementConstraints: defaulted(list(object(PLACEMENT_CONSTRAINT)), []),
  queues: defaulted(list(text), []),
  resourceLimits: defaulted(list(object(RESOURCE_LIMIT)), []),
  resourceProfile: defaulted(text, ''),
  stdin: defaulted(text, ''),
  stderrFile: defaulted(text, ''),
  stdoutFile: defaulted(text, ''),
  status: optional(state),
  statusCode: optional(text),
  statusMessage: optional(text),
  submissionTime: optional(date),
  systemJob: defaulted(boolean, false),
  tags: defaulted(list(text), []),
  user: defaulted(trimmedText, ''),
  workingDirectory: defaulted(text, ''),
} satisfies Readonly<Record<keyof Job, unknown>>;

/** A job as Submit brings it. Throws FieldError also where fields contradict each other. */
export const submittedJob: FieldType<JobRequest> = made(object(JOB), toRequest, 'an object');

function toRequest(fields: Values<typeof JOB>): JobRequest {
  const { exitCode, id, lastUpdateTime, status, statusCode, statusMessage, submissionTime, container, ...asked } =
    fields;
  if (asked.command !== '' && asked.exe !== '') {
    throw new FieldError('and exe are both given; a job runs one of them', ['command']);
  }
  if (asked.command === '' && asked.exe === '' && container === undefined) {
    throw new FieldError('is missing, and so are exe and container; one of them must say what to run', ['command']);
  }
  for (const [index, init] of asked.initContainers.entries()) {
    if (init.command !== '' && init.exe !== '') {
      throw new FieldError('and exe are both given; a container runs one of them', [
        'initContainers',
        index,
        'command',
      ]);
    }
  }
  return {
    ...asked,
    ...(container === undefined ? {} : { container }),
    resourceProfile: asked.resourceProfile === '' ? 'custom' : asked.resourceProfile,
  };
}

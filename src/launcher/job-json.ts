/**
 * A job as the protocol shows it (sections 6 and 15): which members, in which order, and which are left out when empty.
 */
import type {
  Container,
  InitContainer,
  Job,
  JobConfig,
  Mount,
  PlacementConstraint,
  ResourceLimit,
} from '../jobs/job.ts';
import { formatDate } from './dates.ts';

/** JSON of an object; members that are undefined are not written. */
export type Json = Readonly<Record<string, unknown>>;

/** Launchers before this minor version know mounts only with `type` and `source` beside `mountPath`. */
const MOUNT_SOURCE_SINCE_MINOR = 1;

/** The text, or undefined, which is not written. */
const ifAny = (value: string): string | undefined => (value === '' ? undefined : value);

/** The list, or undefined, which is not written. */
const ifSome = <T>(values: readonly T[] | undefined): readonly T[] | undefined =>
  values === undefined || values.length === 0 ? undefined : values;

/** Sorted, without duplicates. */
const asSet = (values: readonly string[]): readonly string[] => [...new Set(values)].sort();

function containerJson(container: Container): Json {
  return {
    image: container.image,
    runAsUserId: container.runAsUserId,
    runAsGroupId: container.runAsGroupId,
    supplementalGroupIds: ifSome(container.supplementalGroupIds),
    capabilitiesAdd: ifSome(container.capabilitiesAdd),
    capabilitiesDrop: ifSome(container.capabilitiesDrop),
  };
}

function mountJson(mount: Mount, minor: number): Json {
  const { name, mountPath, readOnly, type, source } = mount;
  return mount.shape === 'flat' || minor < MOUNT_SOURCE_SINCE_MINOR
    ? { mountPath, name, readOnly, type, source }
    : { mountPath, name, readOnly, mountSource: { type, source } };
}

function initContainerJson(container: InitContainer, minor: number): Json {
  return {
    name: container.name,
    image: container.image,
    command: ifAny(container.command),
    exe: ifAny(container.exe),
    args: ifSome(container.args),
    mounts: ifSome(container.mounts.map((mount) => mountJson(mount, minor))),
    environment: ifSome(container.environment),
  };
}

export function configJson(config: JobConfig): Json {
  return { name: config.name, valueType: config.valueType, value: ifAny(config.value) };
}

export function placementConstraintJson(constraint: PlacementConstraint): Json {
  return { name: constraint.name, value: ifAny(constraint.value), defaultValue: ifAny(constraint.defaultValue ?? '') };
}

export function resourceLimitJson(limit: Omit<ResourceLimit, 'value'> & { readonly value?: string }): Json {
  return {
    type: limit.type,
    value: ifAny(limit.value ?? ''),
    defaultValue: ifAny(limit.defaultValue ?? ''),
    maxValue: ifAny(limit.maxValue ?? ''),
  };
}

/** What a job looks like to a launcher of a minor version: each member, in the order of writing. undefined: left out. */
const MEMBERS: Readonly<Record<keyof Job, (job: Job, minor: number) => unknown>> = {
  args: (job) => job.args,
  cluster: (job) => ifAny(job.cluster),
  command: (job) => job.command,
  config: (job) => job.config.map(configJson),
  container: (job) => job.container && containerJson(job.container),
  environment: (job) => job.environment.map(({ name, value }) => ({ name, value })),
  exe: (job) => job.exe,
  exposedPorts: (job) =>
    job.exposedPorts.map(({ targetPort, publishedPort, protocol }) => ({ targetPort, publishedPort, protocol })),
  exitCode: (job) => job.exitCode,
  group: (job) => ifAny(job.group),
  host: (job) => job.host,
  id: (job) => job.id,
  initContainers: (job, minor) => ifSome(job.initContainers.map((container) => initContainerJson(container, minor))),
  instanceId: (job) => ifAny(job.instanceId),
  lastUpdateTime: (job) => formatDate(job.lastUpdateTime),
  metadata: (job) => job.metadata,
  mounts: (job, minor) => job.mounts.map((mount) => mountJson(mount, minor)),
  name: (job) => job.name,
  pid: (job) => job.pid,
  placementConstraints: (job) => job.placementConstraints.map(placementConstraintJson),
  queues: (job) => asSet(job.queues),
  resourceLimits: (job) => job.resourceLimits.map(resourceLimitJson),
  resourceProfile: (job) => job.resourceProfile,
  stdin: () => '',
  stderrFile: (job) => job.stderrFile,
  stdoutFile: (job) => job.stdoutFile,
  status: (job) => job.status,
  statusCode: (job) => ifAny(job.statusCode),
  statusMessage: (job) => ifAny(job.statusMessage),
  submissionTime: (job) => formatDate(job.submissionTime),
  systemJob: (job) => job.systemJob || undefined,
  tags: (job) => asSet(job.tags),
  user: (job) => job.user,
  workingDirectory: (job) => job.workingDirectory,
};
const MEMBER_LIST = Object.entries(MEMBERS);

/** Names of members that mean another one (protocol 7.4). */
const ALIASES: Readonly<Record<string, string>> = { env: 'environment' };

/** Writes jobs for a launcher of this minor version; `fields`: only these members and `id` (empty: all). */
export function jobWriter(minor: number, fields: readonly string[]): (job: Job) => Json {
  const wanted = new Set(fields.map((name) => ALIASES[name] ?? name)).add('id');
  const members = fields.length === 0 ? MEMBER_LIST : MEMBER_LIST.filter(([name]) => wanted.has(name));
  return (job) => {
    const json: Record<string, unknown> = {};
    for (const [name, value] of members) json[name] = value(job, minor);
    return json;
  };
}

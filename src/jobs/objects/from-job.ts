/**
 * Rebuilds the submitted request from its Kubernetes Job (kubernetes-objects.md section 1). Name, user and tags are read
 * from the pod template, never from a pod. Jobs of the first-party plugin have no submission record; their request is read
 * from the pod template, except `config`: the account and the Secrets there may come from a profile or an override.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Container as KubernetesContainer, PodSpec, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { isObject, jsonIn, objectIn } from '../../system/json.ts';
import { compactList, omitEmpty } from '../../system/omit-empty.ts';
import {
  type Container,
  EMPTY_REQUEST,
  type ExposedPort,
  type InitContainer,
  type JobRequest,
  type Mount,
  type NameValue,
  type ResourceLimit,
} from '../job.ts';
import {
  CONTAINER_NAME,
  INSTANCE_LABEL,
  METADATA_ANNOTATION,
  NAME_ANNOTATION,
  PORTS_ANNOTATION,
  RECORD_ANNOTATION,
  TAG_ANNOTATION,
  USER_ANNOTATION,
} from './annotations.ts';
import { containerRun, halveDollars } from './command.ts';
import { mountOfVolume } from './mount-types.ts';
import { quantity } from './quantity.ts';
import { readRecord, type SubmissionRecord } from './submission-record.ts';

/** The container of a job: the one of our name, else the first. */
export function jobContainer(spec: PodSpec | undefined): KubernetesContainer | undefined {
  return spec?.containers.find(({ name }) => name === CONTAINER_NAME) ?? spec?.containers[0];
}

/** `record`: the submission record of the Job, for a caller that has read it already. */
export function recoverRequest(
  job: KubernetesJob,
  record: SubmissionRecord | undefined = readRecord(job.metadata?.annotations?.[RECORD_ANNOTATION]).record,
): JobRequest {
  const template = job.spec?.template;
  const annotations = template?.metadata?.annotations ?? {};
  const spec = template?.spec;
  const container = jobContainer(spec);
  const metadata = objectIn(annotations[METADATA_ANNOTATION]);
  const { run: _run, split: _split, stdin: _stdin, variables, initContainers, ...kept } = record ?? {};
  const inits = spec?.initContainers ?? [];
  const ofJob =
    record === undefined ? inits : inits.filter(({ name }) => initContainers?.some((each) => each.name === name));
  return {
    ...EMPTY_REQUEST,
    name: annotations[NAME_ANNOTATION] ?? job.metadata?.name ?? '',
    user: annotations[USER_ANNOTATION] ?? '',
    ...containerRun(container ?? {}, record),
    ...(container === undefined ? {} : { container: containerOf(spec, container) }),
    environment: environmentOf(container, record !== undefined, variables),
    initContainers: compactList(ofJob.map((init) => initContainerOf(init, spec, initContainers))),
    ...(metadata === undefined ? {} : { metadata }),
    tags: tagsOf(annotations),
    workingDirectory: container?.workingDir ?? '',
    host: spec?.nodeName ?? '',
    instanceId: job.metadata?.labels?.[INSTANCE_LABEL] ?? '',
    exposedPorts: compactList(portsOf(annotations[PORTS_ANNOTATION])),
    ...(record === undefined ? requestOfPod(spec, container) : {}),
    ...kept,
  };
}

/** What a submission record would hold, as far as the pod template shows it. */
function requestOfPod(
  spec: PodSpec | undefined,
  container: KubernetesContainer | undefined,
): Pick<JobRequest, 'mounts' | 'placementConstraints' | 'resourceLimits'> {
  return {
    mounts: mountsOf(spec, container?.volumeMounts),
    placementConstraints: Object.entries(spec?.nodeSelector ?? {}).map(([name, value]) => ({ name, value })),
    resourceLimits: limitsOf(container),
  };
}

/** Tags are numbered from 0 by us, from 1 by others; the order of the numbers is theirs. */
function tagsOf(annotations: Readonly<Record<string, string>>): readonly string[] {
  return compactList(
    Object.keys(annotations)
      .filter((key) => key.startsWith(TAG_ANNOTATION) && /^\d+$/.test(key.slice(TAG_ANNOTATION.length)))
      .toSorted((a, b) => Number(a.slice(TAG_ANNOTATION.length)) - Number(b.slice(TAG_ANNOTATION.length)))
      .map((key) => annotations[key] ?? ''),
  );
}

function containerOf(spec: PodSpec | undefined, container: KubernetesContainer): Container {
  const { runAsUser, runAsGroup, supplementalGroups } = spec?.securityContext ?? {};
  const { add, drop } = container.securityContext?.capabilities ?? {};
  return {
    image: container.image ?? '',
    ...omitEmpty({
      runAsUserId: runAsUser,
      runAsGroupId: runAsGroup,
      supplementalGroupIds: supplementalGroups,
      capabilitiesAdd: add,
      capabilitiesDrop: drop,
    }),
  };
}

/** Variables with a value, of these names. */
function environmentOf(
  container: KubernetesContainer | undefined,
  ours: boolean,
  variables?: readonly string[],
): readonly NameValue[] {
  const names = variables && new Set(variables);
  return compactList(
    (container?.env ?? []).flatMap(({ name, value, valueFrom }) =>
      valueFrom === undefined && names?.has(name) !== false
        ? [{ name, value: ours ? halveDollars(value ?? '') : (value ?? '') }]
        : [],
    ),
  );
}

function portsOf(text: string | undefined): readonly ExposedPort[] {
  const ports = jsonIn(text);
  if (!Array.isArray(ports)) return [];
  return ports.flatMap((port: unknown) => {
    if (!isObject(port)) return [];
    const { targetPort, publishedPort, protocol } = port;
    if (typeof targetPort !== 'number') return [];
    return [
      {
        targetPort,
        // Other plugins write 0 for a port that Kubernetes chooses, and protocols in lower case.
        ...(typeof publishedPort === 'number' && publishedPort !== 0 ? { publishedPort } : {}),
        protocol: typeof protocol === 'string' ? protocol.toUpperCase() : 'TCP',
      },
    ];
  });
}

function initContainerOf(
  init: KubernetesContainer,
  spec: PodSpec | undefined,
  records: SubmissionRecord['initContainers'],
): InitContainer {
  const record = records?.find(({ name }) => name === init.name);
  return {
    name: init.name,
    image: init.image ?? '',
    ...containerRun(init, record),
    mounts: record === undefined ? mountsOf(spec, init.volumeMounts) : (record.mounts ?? []),
    environment: environmentOf(init, record !== undefined),
  };
}

function mountsOf(spec: PodSpec | undefined, mounts: readonly VolumeMount[] | undefined): readonly Mount[] {
  return (mounts ?? []).flatMap(({ name, mountPath, readOnly, subPath }) => {
    const volume = spec?.volumes?.find((candidate) => candidate.name === name);
    if (volume === undefined) return [];
    const { name: _, ...kind } = volume;
    const { type, source } = mountOfVolume(kind);
    return [
      {
        name,
        mountPath,
        readOnly: readOnly ?? false,
        type,
        source: subPath === undefined ? source : { ...source, subPath },
        shape: 'mountSource' as const,
      },
    ];
  });
}

/** Memory in MB (10^6 bytes), CPUs as a decimal. */
export function limitsOf(container: KubernetesContainer | undefined): readonly ResourceLimit[] {
  const { limits = {}, requests = {} } = container?.resources ?? {};
  const found: readonly (readonly [string, string | undefined, number])[] = [
    ['cpuCount', limits['cpu'], 1],
    ['memory', limits['memory'], 1e6],
    ['CPU Request', requests['cpu'], 1],
    ['Memory Request', requests['memory'], 1e6],
    ['NVIDIA GPUs', limits['nvidia.com/gpu'], 1],
    ['AMD GPUs', limits['amd.com/gpu'], 1],
  ];
  return found.flatMap(([type, text, unit]) => {
    const amount = text === undefined ? undefined : quantity(text);
    return amount === undefined ? [] : [{ type, value: String(amount / unit) }];
  });
}

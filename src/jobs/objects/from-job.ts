/**
 * The way back: the job as it was submitted, from its Job object alone (kubernetes-objects.md section 1). Name, user and
 * tags are read from the pod template, never from a pod. Jobs of the first-party plugin are understood as well: they
 * lack our note, so that what it would tell is read from the pod template.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Container as KubernetesContainer, PodSpec, Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { isObject, jsonIn, objectIn } from '../../system/json.ts';
import type { Container, ExposedPort, InitContainer, JobRequest, Mount, NameValue, ResourceLimit } from '../job.ts';
import {
  CONTAINER_NAME,
  INSTANCE_LABEL,
  METADATA_ANNOTATION,
  NAME_ANNOTATION,
  NOTE_ANNOTATION,
  PORTS_ANNOTATION,
  TAG_ANNOTATION,
  USER_ANNOTATION,
} from './annotations.ts';
import { containerRun, halveDollars } from './command.ts';
import { listOf } from './members.ts';
import { type JobNote, readNote } from './note.ts';
import { quantity } from './quantity.ts';

/** The container of a job: the one of our name, else the first. */
export function jobContainer(spec: PodSpec | undefined): KubernetesContainer | undefined {
  return spec?.containers.find(({ name }) => name === CONTAINER_NAME) ?? spec?.containers[0];
}

/** `note`: what the Job notes of it, for who has read it already. */
export function recoverRequest(
  job: KubernetesJob,
  note: JobNote | undefined = readNote(job.metadata?.annotations?.[NOTE_ANNOTATION]).note,
): JobRequest {
  const template = job.spec?.template;
  const annotations = template?.metadata?.annotations ?? {};
  const spec = template?.spec;
  const container = jobContainer(spec);
  const metadata = objectIn(annotations[METADATA_ANNOTATION]);
  const { run: _run, split: _split, stdin: _stdin, initContainers, ...noted } = note ?? {};
  return {
    name: annotations[NAME_ANNOTATION] ?? job.metadata?.name ?? '',
    user: annotations[USER_ANNOTATION] ?? '',
    group: '',
    cluster: '',
    ...containerRun(container ?? {}, note),
    config: listOf(configOf(spec, container)),
    ...(container === undefined ? {} : { container: containerOf(spec, container) }),
    environment: environmentOf(container, note !== undefined),
    exposedPorts: listOf(portsOf(annotations[PORTS_ANNOTATION])),
    host: spec?.nodeName ?? '',
    initContainers: listOf(
      (spec?.initContainers ?? [])
        .filter(({ name }) => note === undefined || initContainers?.some((noted) => noted.name === name) === true)
        .map((init) => initContainerOf(init, spec, initContainers)),
    ),
    instanceId: job.metadata?.labels?.[INSTANCE_LABEL] ?? '',
    ...(metadata === undefined ? {} : { metadata }),
    mounts: listOf(note === undefined ? mountsOf(spec, container?.volumeMounts) : []),
    placementConstraints: listOf(
      Object.entries(note === undefined ? (spec?.nodeSelector ?? {}) : {}).map(([name, value]) => ({ name, value })),
    ),
    queues: listOf<string>([]),
    resourceLimits: listOf(note === undefined ? limitsOf(container) : []),
    resourceProfile: '',
    stdin: '',
    stderrFile: '',
    stdoutFile: '',
    systemJob: false,
    tags: tagsOf(annotations),
    workingDirectory: container?.workingDir ?? '',
    ...noted,
  };
}

/** Tags are numbered from 0 by us, from 1 by others; the order of the numbers is theirs. */
function tagsOf(annotations: Readonly<Record<string, string>>): readonly string[] {
  return listOf(
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
    ...(runAsUser === undefined ? {} : { runAsUserId: runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroupId: runAsGroup }),
    ...(supplementalGroups === undefined ? {} : { supplementalGroupIds: supplementalGroups }),
    ...(add === undefined ? {} : { capabilitiesAdd: add }),
    ...(drop === undefined ? {} : { capabilitiesDrop: drop }),
  };
}

/** Variables with a value; those taken from Secrets are `config`. */
function environmentOf(container: KubernetesContainer | undefined, ours: boolean): readonly NameValue[] {
  return listOf(
    (container?.env ?? []).flatMap(({ name, value, valueFrom }) =>
      valueFrom === undefined ? [{ name, value: ours ? halveDollars(value ?? '') : (value ?? '') }] : [],
    ),
  );
}

function configOf(spec: PodSpec | undefined, container: KubernetesContainer | undefined): JobRequest['config'] {
  const secrets = (container?.env ?? []).flatMap(({ name, valueFrom }) => {
    const secret = valueFrom?.secretKeyRef;
    return secret?.name === undefined ? [] : [{ name: 'secret', value: `${secret.name}:${secret.key}:${name}` }];
  });
  const account = spec?.serviceAccountName;
  return account === undefined ? secrets : [...secrets, { name: 'serviceAccountName', value: account }];
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
        ...(typeof publishedPort === 'number' ? { publishedPort } : {}),
        protocol: typeof protocol === 'string' ? protocol : 'TCP',
      },
    ];
  });
}

function initContainerOf(
  init: KubernetesContainer,
  spec: PodSpec | undefined,
  notes: JobNote['initContainers'],
): InitContainer {
  const noted = notes?.find(({ name }) => name === init.name);
  return {
    name: init.name,
    image: init.image ?? '',
    ...containerRun(init, noted),
    mounts: listOf(noted === undefined ? mountsOf(spec, init.volumeMounts) : (noted.mounts ?? [])),
    environment: environmentOf(init, noted !== undefined),
  };
}

/** Which member of a volume is which type of mount, and what its `source` becomes (launcher-plugin-api.md section 6). */
function mountSource(volume: Volume): Pick<Mount, 'type' | 'source'> {
  const { name: _, ...source } = volume;
  const { hostPath, nfs, azureFile, cephfs, glusterfs } = source;
  if (hostPath !== undefined) return { type: 'host', source: { path: hostPath.path } };
  if (nfs !== undefined) return { type: 'nfs', source: { host: nfs.server, path: nfs.path } };
  if (azureFile !== undefined)
    return { type: 'azureFile', source: { secretName: azureFile.secretName, shareName: azureFile.shareName } };
  if (glusterfs !== undefined)
    return { type: 'glusterFs', source: { endpoints: glusterfs.endpoints, path: glusterfs.path } };
  if (cephfs !== undefined) {
    const { monitors, path, user, secretFile, secretRef } = cephfs;
    return {
      type: 'cephFs',
      source: JSON.parse(JSON.stringify({ monitors, path, user, secretFile, secretRef: secretRef?.name })),
    };
  }
  return { type: 'passthrough', source: { ...source } };
}

function mountsOf(spec: PodSpec | undefined, mounts: readonly VolumeMount[] | undefined): readonly Mount[] {
  return (mounts ?? []).flatMap(({ name, mountPath, readOnly, subPath }) => {
    const volume = spec?.volumes?.find((candidate) => candidate.name === name);
    if (volume === undefined) return [];
    const { type, source } = mountSource(volume);
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
function limitsOf(container: KubernetesContainer | undefined): readonly ResourceLimit[] {
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

/** The pod of a job: kubernetes-objects.md section 1. What cannot be made is refused, naming the field. */
import type {
  Container,
  EnvVar,
  PodSecurityContext,
  PodSpec,
  ResourceRequirements,
  SecurityContext,
} from 'kubernetes-types/core/v1.d.ts';
import type { InitContainer, JobConfig, JobRequest, NameValue } from '../job.ts';
import { refuse } from '../job-error.ts';
import { CONTAINER_NAME } from './annotations.ts';
import { containerCommand, doubleDollars } from './command.ts';
import { unlessBare, unlessEmpty } from './members.ts';
import type { Amounts, ResolvedJob } from './resolved.ts';
import { type InitContainerRecord, initRecordOf } from './submission-record.ts';
import { podVolumes } from './volumes.ts';

/** Linux starts no program with a longer argument or NAME=value (MAX_ARG_STRLEN without its NUL). */
export const ARGUMENT_LIMIT = 131_071;
/** A deadline of 1 is how a job is stopped (section 5). */
const SHORTEST_DEADLINE = 2;

export interface PodContext {
  /** Option `share-process-namespace`. */
  readonly shareProcessNamespace: boolean;
  /** Minor version of the server. */
  readonly minor: number;
}

export function podSpec(
  resolved: ResolvedJob,
  run: Pick<Container, 'command' | 'args'>,
  { shareProcessNamespace, minor }: PodContext,
): { spec: PodSpec; initRecords: InitContainerRecord[] } {
  const { request, image, pod } = resolved;
  const account = accountOf(request.config) ?? pod.serviceAccount;
  const nodeSelector = {
    ...Object.fromEntries(request.placementConstraints.map(({ name, value }) => [name, value])),
    ...pod.nodeSelector,
  };
  const volumes = podVolumes(minor);
  const hostPorts = request.exposedPorts.filter(({ publishedPort }) => publishedPort !== undefined);
  const container: Container = {
    name: CONTAINER_NAME,
    image,
    ...pullPolicy(pod.imagePullPolicy),
    ...run,
    ...unlessEmpty('workingDir', request.workingDirectory),
    ...unlessEmpty('env', [...environment(request.environment, 'environment'), ...secretEnvironment(request.config)]),
    ...unlessEmpty(
      'ports',
      hostPorts.map(({ targetPort, publishedPort = 0, protocol }) => ({
        containerPort: targetPort,
        hostPort: publishedPort,
        protocol,
      })),
    ),
    ...resources(resolved, true),
    ...unlessEmpty('volumeMounts', volumes.mount(request.mounts)),
    ...(request.stdin === '' ? {} : { stdin: true, stdinOnce: true }),
    ...unlessBare('securityContext', securityContext(resolved, request.container)),
  };
  const inits = request.initContainers.map((init) => initContainer(init, resolved, volumes.mount));
  const spec: PodSpec = {
    restartPolicy: 'Never',
    ...unlessEmpty(
      'initContainers',
      inits.map(({ container: init }) => init),
    ),
    containers: [container],
    ...unlessEmpty('volumes', volumes.volumes()),
    enableServiceLinks: false,
    ...automount(pod.automountServiceAccountToken ?? (account === undefined ? false : undefined)),
    ...(shareProcessNamespace ? { shareProcessNamespace: true } : {}),
    ...(account === undefined ? {} : { serviceAccountName: account }),
    ...unlessBare('securityContext', podSecurityContext(request)),
    ...unlessBare('nodeSelector', nodeSelector),
    ...hostAffinity(request.host),
    ...unlessEmpty('tolerations', [...pod.tolerations]),
    ...unlessEmpty(
      'imagePullSecrets',
      pod.imagePullSecrets.map((name) => ({ name })),
    ),
    ...(pod.priorityClass === undefined ? {} : { priorityClassName: pod.priorityClass }),
    ...(pod.activeDeadlineSeconds === 0
      ? {}
      : { activeDeadlineSeconds: Math.max(SHORTEST_DEADLINE, pod.activeDeadlineSeconds) }),
  };
  return { spec, initRecords: inits.map(({ record }) => record) };
}

function initContainer(
  init: InitContainer,
  resolved: ResolvedJob,
  mount: ReturnType<typeof podVolumes>['mount'],
): { container: Container; record: InitContainerRecord } {
  const run = containerCommand(init);
  return {
    container: {
      name: init.name,
      image: init.image,
      ...pullPolicy(resolved.pod.imagePullPolicy),
      ...run.container,
      ...unlessEmpty('env', environment(init.environment, `initContainers (${init.name}).environment`)),
      ...resources(resolved, false),
      ...unlessEmpty('volumeMounts', mount(init.mounts)),
      ...unlessBare('securityContext', securityContext(resolved, undefined)),
    },
    record: initRecordOf(init, run.record),
  };
}

const pullPolicy = (imagePullPolicy: string | undefined): Pick<Container, 'imagePullPolicy'> =>
  imagePullPolicy === undefined ? {} : { imagePullPolicy };

const automount = (value: boolean | undefined): Pick<PodSpec, 'automountServiceAccountToken'> =>
  value === undefined ? {} : { automountServiceAccountToken: value };

function environment(variables: readonly NameValue[], field: string): EnvVar[] {
  return variables.map(({ name, value }, index) => {
    // What follows a = is a value that was written in the wrong place.
    if (name === '' || name.includes('='))
      return refuse(`${field}[${index}]: "${name.replace(/=.*/s, '=...')}" is not the name of a variable.`);
    if (`${name}${value}`.includes('\0')) return refuse(`${field}: ${name} holds a NUL character.`);
    const size = Buffer.byteLength(`${name}=${value}`);
    if (size > ARGUMENT_LIMIT)
      return refuse(`${field}: ${name} has ${size} bytes; Linux starts no program with more than ${ARGUMENT_LIMIT}.`);
    return { name, value: doubleDollars(value) };
  });
}

/** Variables from Secrets: `name:key:ENV`, or `name:key` where the variable is named as the key. */
export function secretsOf(config: readonly JobConfig[]): { secret: string; key: string; variable: string }[] {
  return config
    .filter(({ name }) => name === 'secret')
    .map(({ value }) => {
      const [secret = '', key = '', variable = key, ...more] = value.split(':');
      // Not quoted: what has another form may be a secret itself.
      if (secret === '' || key === '' || variable === '' || more.length > 0)
        return refuse('config secret must be secretName:key or secretName:key:ENV_NAME.');
      return { secret, key, variable };
    });
}

function secretEnvironment(config: readonly JobConfig[]): EnvVar[] {
  return secretsOf(config).map(({ secret, key, variable }) => ({
    name: variable,
    valueFrom: { secretKeyRef: { name: secret, key } },
  }));
}

/** The service account that the job itself names. */
export function accountOf(config: readonly JobConfig[]): string | undefined {
  return config.findLast(({ name, value }) => name === 'serviceAccountName' && value !== '')?.value;
}

const cpus = (millis: number): string => (millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`);

function amounts({ cpuMillis, memoryMb }: Amounts): Record<string, string> {
  return {
    ...(cpuMillis === undefined ? {} : { cpu: cpus(cpuMillis) }),
    ...(memoryMb === undefined ? {} : { memory: `${memoryMb}M` }),
  };
}

/** Init containers get the same but GPUs: otherwise no pod starts under a quota (kubernetes-facts.md 26). */
function resources(resolved: ResolvedJob, withGpus: boolean): { resources?: ResourceRequirements } {
  const { nvidiaGpus, amdGpus } = resolved;
  const limits = {
    ...amounts(resolved.limits),
    ...(withGpus && nvidiaGpus > 0 ? { 'nvidia.com/gpu': String(nvidiaGpus) } : {}),
    ...(withGpus && amdGpus > 0 ? { 'amd.com/gpu': String(amdGpus) } : {}),
  };
  return unlessBare('resources', {
    ...unlessBare('limits', limits),
    ...unlessBare('requests', amounts(resolved.requests)),
  });
}

/** Of a container: what the job asks for (init containers cannot), and what the profile demands. */
function securityContext({ pod }: ResolvedJob, asked: JobRequest['container']): SecurityContext {
  const { capabilitiesAdd = [], capabilitiesDrop = [] } = asked ?? {};
  const drop = [...new Set([...capabilitiesDrop, ...pod.dropCapabilities, ...(pod.restricted ? ['ALL'] : [])])];
  const capabilities = { ...unlessEmpty('add', [...capabilitiesAdd]), ...unlessEmpty('drop', drop) };
  return {
    ...unlessBare('capabilities', capabilities),
    ...(pod.runAsNonRoot || pod.restricted ? { runAsNonRoot: true } : {}),
    ...(pod.restricted ? { allowPrivilegeEscalation: false, seccompProfile: { type: 'RuntimeDefault' } } : {}),
  };
}

function podSecurityContext({ container }: JobRequest): PodSecurityContext {
  const { runAsUserId, runAsGroupId, supplementalGroupIds = [] } = container ?? {};
  return {
    ...(runAsUserId === undefined ? {} : { runAsUser: runAsUserId }),
    ...(runAsGroupId === undefined ? {} : { runAsGroup: runAsGroupId }),
    ...unlessEmpty('supplementalGroups', [...supplementalGroupIds]),
  };
}

/** A node by its name, but through the scheduler, as DaemonSets do (kubernetes-facts.md 135). */
function hostAffinity(host: string): Pick<PodSpec, 'affinity'> {
  if (host === '') return {};
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [host] }];
  return {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } },
    },
  };
}

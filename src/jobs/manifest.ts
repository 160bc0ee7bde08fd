/**
 * From a launcher job to a Kubernetes Job: kubernetes-objects.md section 1, row by row. Pure. What cannot be made is
 * refused with JobError 'invalid-request', naming the field.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type {
  Container,
  EnvVar,
  PodSecurityContext,
  PodSpec,
  ResourceRequirements,
  SecurityContext,
} from 'kubernetes-types/core/v1.d.ts';
import { isReserved } from '../config/reserved-keys.ts';
import {
  CONTAINER_NAME,
  checkAnnotationSize,
  INSTANCE_LABEL,
  type InitContainerNote,
  type JobNote,
  LAUNCHER,
  MANAGED_BY,
  METADATA_ANNOTATION,
  NAME_ANNOTATION,
  NOTE_ANNOTATION,
  PORTS_ANNOTATION,
  SUBMISSION_ANNOTATION,
  TAG_ANNOTATION,
  USER_ANNOTATION,
  USER_LABEL,
} from './annotations.ts';
import { containerCommand, doubleDollars, halveDollars, type RunNote } from './command.ts';
import { JobError } from './contract.ts';
import type { InitContainer, JobConfig, JobRequest, NameValue } from './job.ts';
import { labelValue } from './names.ts';
import { applyOverrides } from './overrides.ts';
import type { Amounts, ResolvedJob } from './resolved.ts';
import { podVolumes } from './volumes.ts';

export interface ManifestContext {
  readonly id: string;
  /** By which a lost create answer is recognised. */
  readonly submissionId: string;
  /** Option `job-expiry-hours`. */
  readonly jobExpiryHours: number;
  /** Option `share-process-namespace`. */
  readonly shareProcessNamespace: boolean;
  /** Minor version of the server. */
  readonly minor: number;
}

/** Linux starts no program with a longer argument or NAME=value (MAX_ARG_STRLEN without its NUL). */
const ARGUMENT_LIMIT = 131_071;
const JOB_LIMIT = 1_400_000;
const MAX_INT32 = 2_147_483_647;
/** A deadline of 1 is how a job is stopped (section 5). */
const SHORTEST_DEADLINE = 2;

const refuse = (sentence: string): never => {
  throw new JobError('invalid-request', sentence);
};

export function buildJob(resolved: ResolvedJob, context: ManifestContext): KubernetesJob {
  const { request, pod } = resolved;
  checkPorts(request);
  if (request.workingDirectory.includes('\0')) refuse('workingDirectory holds a NUL character.');
  const main = containerCommand(request);
  const { spec, initNotes } = podSpec(resolved, main.container, context);
  const ours = ourLabels(request);
  const brought = (object: 'job' | 'pod') => ({
    labels: { ...metadataOf(request, object, 'label'), ...pod.labels, ...ours },
    annotations: { ...metadataOf(request, object, 'annotation'), ...pod.annotations },
  });
  const ofJob = brought('job');
  const ofPod = brought('pod');
  const job: KubernetesJob = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: context.id,
      labels: ofJob.labels,
      annotations: {
        ...ofJob.annotations,
        [NOTE_ANNOTATION]: JSON.stringify(noteOf(request, main.note, initNotes)),
        [SUBMISSION_ANNOTATION]: context.submissionId,
      },
    },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: ttlSeconds(context.jobExpiryHours),
      template: {
        metadata: {
          labels: ofPod.labels,
          annotations: { ...ofPod.annotations, ...podAnnotations(request) },
        },
        spec,
      },
    },
  };
  checkSizes(job);
  return applyOverrides(job, resolved.overrides ?? []);
}

/** job-expiry-hours and one more, when no plugin removes the job. */
export function ttlSeconds(jobExpiryHours: number): number {
  return Math.min(MAX_INT32, Math.ceil(jobExpiryHours * 3600) + 3600);
}

const PROTOCOLS: readonly string[] = ['TCP', 'UDP', 'SCTP'];
const HIGHEST_PORT = 65_535;

/** What Kubernetes would refuse of a Service after the Job was made. */
function checkPorts({ exposedPorts }: JobRequest): void {
  for (const { targetPort, publishedPort = targetPort, protocol } of exposedPorts) {
    for (const [name, port] of Object.entries({ targetPort, publishedPort })) {
      if (port < 1 || port > HIGHEST_PORT)
        refuse(`exposedPorts: ${name} ${port} is not a port from 1 to ${HIGHEST_PORT}.`);
    }
    if (!PROTOCOLS.includes(protocol))
      refuse(`exposedPorts: protocol ${JSON.stringify(protocol)} is not one of ${PROTOCOLS.join(', ')}.`);
  }
}

/** Labels of Job and pod that are ours. */
function ourLabels(request: JobRequest): Record<string, string> {
  const user = labelValue(request.user);
  return { ...baseLabels(request), ...(user === '' ? {} : { [USER_LABEL]: user }) };
}

/** Labels of every object of a job. */
export function baseLabels(request: JobRequest): Record<string, string> {
  const instance = labelValue(request.instanceId);
  return { [MANAGED_BY]: LAUNCHER, ...(instance === '' ? {} : { [INSTANCE_LABEL]: instance }) };
}

function podAnnotations(request: JobRequest): Record<string, string> {
  return {
    [NAME_ANNOTATION]: request.name,
    [USER_ANNOTATION]: request.user,
    ...Object.fromEntries(request.tags.map((tag, index) => [`${TAG_ANNOTATION}${index}`, tag])),
    [PORTS_ANNOTATION]: JSON.stringify(request.exposedPorts),
    ...(request.metadata === undefined ? {} : { [METADATA_ANNOTATION]: JSON.stringify(request.metadata) }),
  };
}

const MEMBER = { label: 'labels', annotation: 'annotations' } as const;

/** Labels or annotations that the job's `metadata` brings for an object. Keys of ours are refused. */
export function metadataOf(
  request: JobRequest,
  object: 'job' | 'pod' | 'service',
  kind: keyof typeof MEMBER,
): Readonly<Record<string, string>> {
  const ofObject = request.metadata?.[object];
  const found = isRecord(ofObject) ? ofObject[MEMBER[kind]] : undefined;
  if (found === undefined || found === null) return {};
  const field = `metadata.${object}.${MEMBER[kind]}`;
  if (!isRecord(found)) return refuse(`${field} must be an object of texts.`);
  return Object.fromEntries(
    Object.entries(found).map(([key, value]) => {
      if (typeof value !== 'string') return refuse(`${field}: the value of ${key} must be a text.`);
      if (isReserved(kind, key)) return refuse(`${field}: the key ${key} is the launcher's own; a job cannot set it.`);
      return [key, value];
    }),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const unlessEmpty = <K extends string, V extends string | readonly unknown[]>(key: K, value: V): { [k in K]?: V } =>
  value.length === 0 ? {} : ({ [key]: value } as { [k in K]?: V });

function noteOf(request: JobRequest, run: RunNote, initContainers: readonly InitContainerNote[]): JobNote {
  return {
    ...run,
    ...unlessEmpty('group', request.group),
    ...unlessEmpty('cluster', request.cluster),
    ...unlessEmpty('config', request.config),
    ...unlessEmpty('exposedPorts', request.exposedPorts),
    ...unlessEmpty('host', request.host),
    ...unlessEmpty('initContainers', initContainers),
    ...unlessEmpty('instanceId', request.instanceId),
    ...unlessEmpty('mounts', request.mounts),
    ...unlessEmpty('placementConstraints', request.placementConstraints),
    ...unlessEmpty('queues', request.queues),
    ...unlessEmpty('resourceLimits', request.resourceLimits),
    ...unlessEmpty('resourceProfile', request.resourceProfile),
    ...(request.stdin === '' ? {} : { stdin: true }),
    ...unlessEmpty('stderrFile', request.stderrFile),
    ...unlessEmpty('stdoutFile', request.stdoutFile),
    ...(request.systemJob ? { systemJob: true } : {}),
    ...(request.pid === undefined ? {} : { pid: request.pid }),
  };
}

function podSpec(
  resolved: ResolvedJob,
  run: Pick<Container, 'command' | 'args'>,
  { shareProcessNamespace, minor }: ManifestContext,
): { spec: PodSpec; initNotes: InitContainerNote[] } {
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
  return { spec, initNotes: inits.map(({ note }) => note) };
}

function initContainer(
  init: InitContainer,
  resolved: ResolvedJob,
  mount: ReturnType<typeof podVolumes>['mount'],
): { container: Container; note: InitContainerNote } {
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
    note: { name: init.name, ...run.note, ...unlessEmpty('mounts', init.mounts) },
  };
}

const pullPolicy = (imagePullPolicy: string | undefined): Pick<Container, 'imagePullPolicy'> =>
  imagePullPolicy === undefined ? {} : { imagePullPolicy };

const automount = (value: boolean | undefined): Pick<PodSpec, 'automountServiceAccountToken'> =>
  value === undefined ? {} : { automountServiceAccountToken: value };

/** The member, unless the object is empty. */
const unlessBare = <K extends string, V extends object>(key: K, value: V): { [k in K]?: V } =>
  Object.keys(value).length === 0 ? {} : ({ [key]: value } as { [k in K]?: V });

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

/** Init containers get the same but GPUs: otherwise no pod starts under a quota (FACTS 26). */
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

/** A node by its name, but through the scheduler, as DaemonSets do (FACTS 135). */
function hostAffinity(host: string): Pick<PodSpec, 'affinity'> {
  if (host === '') return {};
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [host] }];
  return {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } },
    },
  };
}

function checkSizes(job: KubernetesJob): void {
  const { metadata, spec } = job.spec?.template ?? {};
  checkAnnotationSize(job.metadata?.annotations ?? {});
  checkAnnotationSize(metadata?.annotations ?? {});
  for (const { name, command = [], args = [] } of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]) {
    const where = name === CONTAINER_NAME ? 'command or args' : `initContainers (${name})`;
    for (const argument of [...command, ...args]) {
      if (argument.includes('\0')) refuse(`${where}: an argument holds a NUL character.`);
      const size = Buffer.byteLength(halveDollars(argument));
      if (size > ARGUMENT_LIMIT)
        refuse(`${where}: an argument has ${size} bytes; Linux starts no program with more than ${ARGUMENT_LIMIT}.`);
    }
  }
  const size = Buffer.byteLength(JSON.stringify(job));
  if (size > JOB_LIMIT)
    refuse(
      `The job has ${size} bytes as a Kubernetes Job (most of it environment or args); ${JOB_LIMIT} can be stored.`,
    );
}

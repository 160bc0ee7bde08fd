/** Builds the pod spec of a job (kubernetes-objects.md section 1). What cannot be built is refused, naming the field. */
import type {
  Affinity,
  Container,
  EnvVar,
  PodSecurityContext,
  PodSpec,
  ResourceRequirements,
  SecurityContext,
  Volume,
} from 'kubernetes-types/core/v1.d.ts';
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import { type CamelCase, camelCase, OBJECT_NAME } from '../../config/text/kinds.ts';
import { isObject } from '../../system/json.ts';
import { omitEmpty } from '../../system/omit-empty.ts';
import type { InitContainer, JobConfig, JobRequest, NameValue } from '../job.ts';
import { refuse, refuseBy } from '../job-error.ts';
import { CONTAINER_NAME } from './annotations.ts';
import { containerCommand, doubleDollars } from './command.ts';
import { metadataInitContainers } from './metadata.ts';
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
  reserved: ReadonlySet<string>,
): { spec: PodSpec; initRecords: InitContainerRecord[] } {
  const { request, profile } = resolved;
  const account = accountOf(request.config) ?? profile.serviceAccount.value;
  const { value: automount } = profile.automountServiceAccountToken;
  const { value: deadline } = profile.activeDeadlineSeconds;
  const volumes = podVolumes(minor, reserved);
  const container = mainContainer(resolved, run, volumes.mount);
  const inits = request.initContainers.map((init) => initContainer(init, resolved, volumes.mount));
  const brought = metadataInitContainers(request).map((init) => constrained(init, resolved));
  for (const init of brought) checkVolumeNames(init, volumes.volumes(), profile);
  const spec: PodSpec = {
    restartPolicy: 'Never',
    ...omitEmpty({ initContainers: [...inits.map(({ container: init }) => init), ...brought] }),
    containers: [container],
    ...omitEmpty({ volumes: volumes.volumes().map((volume) => pulled(volume, profile)) }),
    enableServiceLinks: false,
    ...omitEmpty({
      automountServiceAccountToken: automount === 'auto' ? (account === undefined ? false : undefined) : automount,
      shareProcessNamespace: shareProcessNamespace || undefined,
      serviceAccountName: account,
      securityContext: podSecurityContext(request),
      nodeSelector: resolved.nodeSelector,
      affinity: hostAffinity(request.host),
      tolerations: [...resolved.tolerations],
      imagePullSecrets: profile.imagePullSecrets.value.map((name) => ({ name })),
      priorityClassName: profile.priorityClass.value,
      activeDeadlineSeconds: deadline === 0 ? undefined : Math.max(SHORTEST_DEADLINE, deadline),
    }),
  };
  return { spec, initRecords: inits.map(({ record }) => record) };
}

type Mounting = ReturnType<typeof podVolumes>['mount'];

function mainContainer(resolved: ResolvedJob, run: Pick<Container, 'command' | 'args'>, mount: Mounting): Container {
  const { request, image, profile } = resolved;
  const isInput = request.stdin === '' ? undefined : true;
  return {
    name: CONTAINER_NAME,
    image,
    ...omitEmpty({
      imagePullPolicy: profile.imagePullPolicy.value,
      ...run,
      workingDir: request.workingDirectory,
      env: [...environment(request.environment, 'environment'), ...secretEnvironment(request.config)],
      ports: request.exposedPorts.flatMap(({ targetPort, publishedPort, protocol }) =>
        publishedPort === undefined ? [] : [{ containerPort: targetPort, hostPort: publishedPort, protocol }],
      ),
      resources: resources(resolved, true),
      volumeMounts: mount(request.mounts),
      stdin: isInput,
      stdinOnce: isInput,
      securityContext: securityContext(resolved, request.container),
    }),
  };
}

function initContainer(
  init: InitContainer,
  resolved: ResolvedJob,
  mount: Mounting,
): { container: Container; record: InitContainerRecord } {
  const run = containerCommand(init);
  const container: Container = {
    name: init.name,
    image: init.image,
    ...omitEmpty({
      imagePullPolicy: resolved.profile.imagePullPolicy.value,
      ...run.container,
      env: environment(init.environment, `initContainers (${init.name}).environment`),
      resources: resources(resolved, false),
      volumeMounts: mount(init.mounts),
      securityContext: securityContext(resolved, undefined),
    }),
  };
  return { container, record: initRecordOf(init, run.record) };
}

/** An init container of `metadata` with the limits and the security context of the job instead of its own. */
function constrained({ resources: _, ...init }: Container, resolved: ResolvedJob): Container {
  const { add, drop } = init.securityContext?.capabilities ?? {};
  const required = securityContext(resolved, {
    image: init.image ?? '',
    capabilitiesAdd: add ?? [],
    capabilitiesDrop: drop ?? [],
  });
  return {
    ...init,
    ...omitEmpty({
      imagePullPolicy: resolved.profile.imagePullPolicy.value ?? init.imagePullPolicy,
      resources: resources(resolved, false),
      securityContext: { ...init.securityContext, ...required },
    }),
  };
}

/** A volume of an image is pulled as the profile says. */
function pulled(volume: Volume & { readonly image?: unknown }, { imagePullPolicy }: EffectiveProfile): Volume {
  const { value: pullPolicy } = imagePullPolicy;
  if (!isObject(volume.image) || pullPolicy === undefined) return volume;
  return Object.assign({ ...volume }, { image: { ...volume.image, pullPolicy } });
}

/** Keys that restrict what a job mounts, or reads from what is mounted. */
const MOUNT_KEYS = ['mount-types', 'volume-kinds', 'host-paths', 'claims', 'config-maps', 'secrets'] as const;

/** Where a profile restricts mounts, a container of `metadata` uses no volume that an override or a template adds. */
function checkVolumeNames({ name, ...init }: Container, volumes: readonly Volume[], profile: EffectiveProfile): void {
  const key = MOUNT_KEYS.find((each) => profile[camelCase(each) as CamelCase<typeof each>].value !== 'any');
  if (key === undefined) return;
  const names = new Set(volumes.map((volume) => volume.name));
  const used: readonly unknown[] = [
    ...[init.volumeMounts ?? [], init.volumeDevices ?? []].flat().map((each) => valueIn(each, 'name')),
    ...[init.env ?? []].flat().flatMap((each) => {
      const file = valueIn(valueIn(each, 'valueFrom'), 'fileKeyRef');
      return file === undefined || file === null ? [] : [valueIn(file, 'volumeName')];
    }),
  ];
  const foreign = used.map(String).find((each) => !names.has(each));
  if (foreign === undefined) return;
  const where = `metadata.pod.initContainers (${name}): volume ${foreign}`;
  refuseBy(`${where} is not one of the mounts of the job`, key, profile);
}

const valueIn = (object: unknown, field: string): unknown =>
  isObject(object) && Object.hasOwn(object, field) ? object[field] : undefined;

/** Names of variables that every Kubernetes accepts or that its API server judges itself. */
const isVariable = (name: string): boolean => name !== '' && !name.includes('=');

function environment(variables: readonly NameValue[], field: string): EnvVar[] {
  return variables.map(({ name, value }, index) => {
    // What follows a = is a value that was written in the wrong place.
    if (!isVariable(name))
      return refuse(`${field}[${index}]: "${name.replace(/=.*/s, '=...')}" is not the name of a variable.`);
    if (`${name}${value}`.includes('\0')) return refuse(`${field}: ${name} holds a NUL character.`);
    const size = Buffer.byteLength(`${name}=${value}`);
    if (size > ARGUMENT_LIMIT)
      return refuse(`${field}: ${name} has ${size} bytes; Linux starts no program with more than ${ARGUMENT_LIMIT}.`);
    return { name, value: doubleDollars(value) };
  });
}

/** Keys of Secrets. */
const SECRET_KEY = /^[-._a-zA-Z0-9]{1,253}$/;

/** Variables from Secrets: `name:key:ENV`, or `name:key` where the variable is named as the key. */
export function secretsOf(config: readonly JobConfig[]): { secret: string; key: string; variable: string }[] {
  return config
    .filter(({ name }) => name === 'secret')
    .map(({ value }) => {
      const [secret = '', key = '', variable = key, ...more] = value.split(':', 4);
      // Not quoted: what has another form may be a secret itself.
      if (!OBJECT_NAME.parse(secret).ok || !SECRET_KEY.test(key) || !isVariable(variable) || more.length > 0)
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

/** The service accounts that the job itself names. */
export function accountsOf(config: readonly JobConfig[]): readonly string[] {
  return config.flatMap(({ name, value }) => (name === 'serviceAccountName' && value !== '' ? [value] : []));
}

/** The one that is used: the last one. */
export const accountOf = (config: readonly JobConfig[]): string | undefined => accountsOf(config).at(-1);

const cpus = (millis: number): string => (millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`);

const amounts = ({ cpuMillis, memoryMb }: Amounts) => ({
  cpu: cpuMillis === undefined ? undefined : cpus(cpuMillis),
  memory: memoryMb === undefined ? undefined : `${memoryMb}M`,
});

/** Init containers get the same limits without GPUs; without limits no pod starts under a quota (kubernetes-facts.md 26). */
function resources({ limits, requests, nvidiaGpus, amdGpus }: ResolvedJob, withGpus: boolean): ResourceRequirements {
  const gpus = (count: number): string | undefined => (withGpus && count > 0 ? String(count) : undefined);
  return omitEmpty({
    limits: omitEmpty({
      ...amounts(limits),
      'nvidia.com/gpu': gpus(nvidiaGpus),
      'amd.com/gpu': gpus(amdGpus),
    }),
    requests: omitEmpty(amounts(requests)),
  });
}

/** `pod-security=restricted`, besides the capabilities. */
const RESTRICTED = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

/** Of a container: what the job asks for (init containers cannot), and what the profile demands. */
function securityContext({ profile }: ResolvedJob, asked: JobRequest['container']): SecurityContext {
  const { capabilitiesAdd = [], capabilitiesDrop = [] } = asked ?? {};
  const isRestricted = profile.podSecurity.value === 'restricted';
  const dropped = new Set([...capabilitiesDrop, ...profile.dropCapabilities.value, ...(isRestricted ? ['ALL'] : [])]);
  return omitEmpty({
    capabilities: omitEmpty({ add: [...capabilitiesAdd], drop: [...dropped] }),
    runAsNonRoot: profile.runAsNonRoot.value || undefined,
    ...(isRestricted ? RESTRICTED : {}),
  });
}

/** Overridden containers: those that are the job's own get again what `run-as=own` and `pod-security` demand. */
export function securedContainers(
  overridden: readonly Container[],
  generated: readonly Container[],
  { runAs, podSecurity }: EffectiveProfile,
): Container[] {
  const byName = new Map(generated.map((container) => [container.name, container]));
  const isOwn = runAs.value === 'own';
  const isRestricted = podSecurity.value === 'restricted';
  return overridden.map((container) => {
    const before = byName.get(container?.name);
    if (before === undefined || !(isOwn || isRestricted)) return container;
    const { securityContext: written, ...others } = container;
    const security: SecurityContext = { ...(isObject(written) ? written : {}) };
    if (isOwn) {
      delete security.runAsUser;
      delete security.runAsGroup;
      const { runAsUser, runAsGroup } = before.securityContext ?? {};
      Object.assign(security, omitEmpty({ runAsUser, runAsGroup }));
    }
    if (isRestricted) {
      const { drop } = security.capabilities ?? {};
      const dropped = new Set([...(Array.isArray(drop) ? drop : []), 'ALL']);
      Object.assign(security, RESTRICTED, { capabilities: { ...security.capabilities, drop: [...dropped] } });
    }
    return { ...others, ...omitEmpty({ securityContext: security }) };
  });
}

export function podSecurityContext({ container }: JobRequest): PodSecurityContext {
  const { runAsUserId, runAsGroupId, supplementalGroupIds = [] } = container ?? {};
  return omitEmpty({
    runAsUser: runAsUserId,
    runAsGroup: runAsGroupId,
    supplementalGroups: [...supplementalGroupIds],
  });
}

/** A node by its name, through the scheduler, as DaemonSets do (kubernetes-facts.md 135). */
function hostAffinity(host: string): Affinity | undefined {
  if (host === '') return undefined;
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [host] }];
  return {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } },
  };
}

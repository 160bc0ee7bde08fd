/**
 * What jobs may ask of the cluster (configuration.md section 2.1). The launcher checks who a user is, not what they ask:
 * these rules close the paths to a node, to root and to accounts and secrets of others. Volumes are checked in the form
 * that is sent to Kubernetes, whatever type the mount names.
 */
import type { Container as KubernetesContainer, SecurityContext, Volume } from 'kubernetes-types/core/v1.d.ts';
import { type Allowed, capabilityName } from '../../config/profiles/profile-kinds.ts';
import { type EffectiveProfile, numberSetting } from '../../config/profiles/profiles.ts';
import type { TokenSubject } from '../../kubernetes/http/credentials.ts';
import type { SystemUser } from '../../system/users.ts';
import type { Container, JobRequest } from '../job.ts';
import { by, refuse, refuseBy } from '../job-error.ts';
import { metadataInitContainers, metadataOf } from '../objects/metadata.ts';
import { mountTypeOf, mountTypesOf, volumeKindOf } from '../objects/mount-types.ts';
import { accountOf, accountsOf, secretsOf } from '../objects/to-pod.ts';
import { podVolumes } from '../objects/volumes.ts';

/** The user of a job and what applies to them. */
export interface PolicySubject {
  readonly profile: EffectiveProfile;
  /** The job's user on this host; undefined: unknown here. */
  readonly user: SystemUser | undefined;
  /** The plugin's own service account, as its token says, if that is one of this namespace. */
  readonly ownAccount: TokenSubject | undefined;
  /** The job's group, if its user is in it; else ''. */
  readonly group: string;
}

/** Throws JobError 'invalid-request' for whatever the profile does not allow. */
export function checkHardening(request: JobRequest, subject: PolicySubject): void {
  checkPlain(request, subject.profile);
  checkCapabilities(request, subject.profile);
  checkAccount(request, subject);
  checkSecrets(request, subject);
  checkMounts(request, subject);
  checkMetadataInitContainers(request, subject);
}

function checkPlain(request: JobRequest, profile: EffectiveProfile): void {
  const { host, exposedPorts } = request;
  if (!profile.allowHost.value && host !== '') refuseBy(`host "${host}" is not allowed`, 'allow-host', profile);
  const port = exposedPorts.find(({ publishedPort }) => publishedPort !== undefined);
  if (!profile.allowHostPorts.value && port !== undefined) {
    refuseBy(`exposedPorts: publishedPort ${port.publishedPort} is not allowed`, 'allow-host-ports', profile);
  }
  if (profile.podSecurity.value === 'restricted') checkSecurityAnnotations(request, profile);
  if (profile.allowMetadata.value) return;
  for (const object of ['job', 'pod', 'service'] as const) {
    for (const kind of ['label', 'annotation'] as const) {
      const [key] = Object.keys(metadataOf(request, object, kind));
      if (key !== undefined) {
        refuseBy(`metadata.${object}.${kind}s: ${key} is not allowed`, 'allow-metadata', profile);
      }
    }
  }
}

/** Annotations that switch off AppArmor or seccomp for a container. */
const SECURITY_ANNOTATION = /^(container\.)?(apparmor|seccomp)\.security\.(alpha|beta)\.kubernetes\.io\//;

function checkSecurityAnnotations(request: JobRequest, profile: EffectiveProfile): void {
  for (const [key, value] of Object.entries(metadataOf(request, 'pod', 'annotation'))) {
    if (SECURITY_ANNOTATION.test(key) && value !== 'runtime/default' && !value.startsWith('localhost/'))
      refuseBy(`metadata.pod.annotations: ${key}=${value} is not allowed`, 'pod-security', profile);
  }
}

function checkCapabilities({ container }: JobRequest, profile: EffectiveProfile): void {
  for (const text of container?.capabilitiesAdd ?? []) checkCapability(text, 'container.capabilitiesAdd', profile);
}

/** A capability that the profile drops comes back only if `capabilities` names it. */
function checkCapability(text: string, where: string, profile: EffectiveProfile): void {
  const name = capabilityName(text);
  const { capabilities, dropCapabilities, podSecurity } = profile;
  if (!allows(capabilities.value, name)) refuseBy(`${where}: ${text} is not allowed`, 'capabilities', profile);
  if (podSecurity.value === 'restricted') {
    if (name !== 'NET_BIND_SERVICE') refuseBy(`${where}: ${text} is not allowed`, 'pod-security', profile);
    return;
  }
  const dropped = dropCapabilities.value;
  const isDropped = dropped.includes(name) || dropped.includes('ALL') || (name === 'ALL' && dropped.length > 0);
  if (isDropped && capabilities.value === 'any')
    refuseBy(`${where}: ${text} is not allowed`, 'drop-capabilities', profile);
}

/** The account of the profile needs no entry in `service-accounts`. */
export function allowsAccount(name: string, { serviceAccount, serviceAccounts }: EffectiveProfile): boolean {
  return name === serviceAccount.value || allows(serviceAccounts.value, name);
}

/** The last one is used; a template may read another one. */
function checkAccount({ config }: JobRequest, { profile, ownAccount }: PolicySubject): void {
  for (const account of accountsOf(config)) {
    if (account === ownAccount?.name)
      refuse(`serviceAccountName ${account} is the plugin's own and cannot be used by jobs.`);
    if (!allowsAccount(account, profile)) {
      refuseBy(`serviceAccountName ${account} is not allowed`, 'service-accounts', profile);
    }
  }
}

/** Secrets that hold the input of jobs. */
const INPUT_SECRET = /-[a-z0-9]{10}-stdin$/;

/** What follows the account in names of Secrets with its token: of our `rbac`, and as clusters before 1.24 and OpenShift make them. */
const TOKEN_SECRET = /^-(token|dockercfg)(-[a-z0-9]{5})?$/;

function holdsToken({ name: account, secret }: TokenSubject, name: string): boolean {
  return name === secret || (name.startsWith(account) && TOKEN_SECRET.test(name.slice(account.length)));
}

function checkSecret(name: string, where: string, subject: PolicySubject): void {
  checkForeignSecret(name, where, subject);
  const { profile } = subject;
  if (!allows(profile.secrets.value, name)) refuseBy(`${where}: Secret ${name} is not allowed`, 'secrets', profile);
}

/** Throws for a Secret that no job ever gets. */
function checkForeignSecret(name: string, where: string, { ownAccount }: PolicySubject): void {
  if (INPUT_SECRET.test(name)) refuse(`${where}: Secret ${name} holds the input of a job and cannot be used.`);
  if (ownAccount !== undefined && holdsToken(ownAccount, name))
    refuse(`${where}: Secret ${name} holds a token of the plugin and cannot be used by jobs.`);
}

function checkSecrets({ config }: JobRequest, subject: PolicySubject): void {
  for (const { secret } of secretsOf(config)) checkSecret(secret, 'config secret', subject);
}

function checkMounts(request: JobRequest, subject: PolicySubject): void {
  for (const mount of [request.mounts, ...request.initContainers.map(({ mounts }) => mounts)].flat()) {
    const where = `The ${mount.type} mount at ${mount.mountPath}`;
    // Which volume types the server still supports is checked where the pod is built.
    const volumes = podVolumes(0);
    volumes.mount([mount]);
    for (const volume of volumes.volumes()) {
      checkMountType(mount.type, volume, where, subject.profile);
      checkClaimMetadata(volume, where, subject.profile);
      checkVolume(volume, where, request, subject);
    }
  }
}

/** `mount-types` allows a mount by its type or, if that names a kind of volume, as `passthrough`; `volume-kinds` by that kind. */
function checkMountType(type: string, { name: _, ...volume }: Volume, where: string, profile: EffectiveProfile): void {
  const [kind = ''] = Object.keys(volume);
  const equal = mountTypesOf(volume);
  const names = [type, ...(volumeKindOf(type) === undefined ? [] : [kind, 'passthrough', ...equal])];
  const { value: allowed } = profile.mountTypes;
  if (!names.some((name) => allows(allowed, name))) refuseBy(`${where} is not allowed`, 'mount-types', profile);
  const refused = equal.find((name) => !allows(allowed, name));
  if (refused !== undefined) refuseBy(`${where} is not allowed (it is a ${refused} mount)`, 'mount-types', profile);
  if (mountTypeOf(type) === undefined && !allows(profile.volumeKinds.value, kind))
    refuseBy(`${where}: a volume of kind ${kind} is not allowed`, 'volume-kinds', profile);
}

/** The claim of an ephemeral volume is an object with labels and annotations of its own. */
function checkClaimMetadata({ ephemeral }: Volume, where: string, profile: EffectiveProfile): void {
  const metadata = fieldOf(fieldOf(ephemeral, 'volumeClaimTemplate'), 'metadata') ?? null;
  if (metadata !== null && !profile.allowMetadata.value)
    refuseBy(`${where}: metadata of a volume claim is not allowed`, 'allow-metadata', profile);
}

function checkVolume(volume: Volume, where: string, request: JobRequest, subject: PolicySubject): void {
  checkReferences(findReferences(volume), where, request, subject);
}

/** Checks every host path, Secret, ConfigMap, claim, image and account that a volume or a container refers to. */
function checkReferences(found: References, where: string, request: JobRequest, subject: PolicySubject): void {
  const { profile, ownAccount } = subject;
  for (const path of found.hostPaths) checkHostPath(path, where, profile);
  for (const secret of found.secrets) checkSecret(secret, where, subject);
  for (const image of found.images) checkImage(image, profile);
  for (const name of found.claims) {
    if (!allowsFilled(profile.claims.value, name, request, subject))
      refuseBy(`${where}: claim ${name} is not allowed`, 'claims', profile);
  }
  for (const name of found.configMaps) {
    if (!allowsFilled(profile.configMaps.value, name, request, subject))
      refuseBy(`${where}: ConfigMap ${name} is not allowed`, 'config-maps', profile);
  }
  for (const name of found.volumes) {
    if (profile.claims.value !== 'any') refuseBy(`${where}: volume ${name} is not allowed`, 'claims', profile);
  }
  if (!found.accountToken) return;
  const account = accountOf(request.config) ?? profile.serviceAccount.value ?? 'default';
  const isOwn = account === ownAccount?.name;
  if (isOwn) refuse(`${where}: a token of ${account}, the plugin's own service account, cannot be used by jobs.`);
  if (!allowsAccount(account, profile)) {
    refuseBy(`${where}: a token of service account ${account} is not allowed`, 'service-accounts', profile);
  }
}

/**
 * Checks those of an object's references that are among these names; of the others, that none is a Secret that no job
 * ever gets: a template makes other names of text (`nospace`, `lower`).
 */
export function checkNames(
  object: unknown,
  names: ReadonlySet<string>,
  where: string,
  request: JobRequest,
  subject: PolicySubject,
): void {
  const all = findReferences(object);
  for (const secret of all.secrets) checkForeignSecret(secret, where, subject);
  const kept = (list: readonly string[]): string[] => list.filter((name) => names.has(name));
  const found: References = {
    hostPaths: kept(all.hostPaths),
    secrets: kept(all.secrets),
    images: kept(all.images),
    claims: kept(all.claims),
    configMaps: kept(all.configMaps),
    volumes: kept(all.volumes),
    accountToken: false,
  };
  checkReferences(found, where, request, subject);
}

/** As `allows`, with `{user}` and `{group}` in the allowed names. */
function allowsFilled(allowed: Allowed, name: string, { user }: JobRequest, { group }: PolicySubject): boolean {
  if (allowed === 'any') return true;
  return allowed.some((pattern) => {
    if (pattern.includes('{group}') && group === '') return false;
    return pattern.replaceAll('{user}', () => user).replaceAll('{group}', () => group) === name;
  });
}

/** What a container of `metadata` may say about its security; all else is refused. */
const SECURITY_FIELDS: readonly string[] = [
  'allowPrivilegeEscalation',
  'capabilities',
  'readOnlyRootFilesystem',
  'runAsGroup',
  'runAsNonRoot',
  'runAsUser',
];

function checkMetadataInitContainers(request: JobRequest, subject: PolicySubject): void {
  const { profile } = subject;
  for (const init of metadataInitContainers(request)) {
    const where = `metadata.pod.initContainers (${init.name})`;
    checkImage(init.image ?? '', profile);
    checkReferences(findReferences(init), where, request, subject);
    const hostPort = listIn(init.ports).find((port) => fieldOf(port, 'hostPort') !== undefined);
    if (!profile.allowHostPorts.value && hostPort !== undefined)
      refuseBy(`${where}: a host port is not allowed`, 'allow-host-ports', profile);
    if (profile.podSecurity.value === 'restricted') checkProbes(init, where, profile);
    // Kubernetes adds the amounts of such containers to those of the job.
    if (fieldOf(init, 'restartPolicy') === 'Always') checkUnlimited(where, profile);
    checkSecurityContext(init.securityContext ?? {}, where, subject);
  }
}

/** Throws for a container that runs beside the job where the profile limits what a job gets. */
function checkUnlimited(where: string, profile: EffectiveProfile): void {
  const sentence = `${where}: restartPolicy Always is not allowed, because it runs beside the job with the limits of the job once more`;
  for (const key of ['max-cpus', 'max-mem-mb', 'max-cpus-request', 'max-mem-mb-request'] as const)
    if (numberSetting(profile, key).value > 0) refuseBy(sentence, key, profile);
  if (!profile.allowCustomResources.value) refuseBy(sentence, 'allow-custom-resources', profile);
}

/** The node sends the requests of probes and hooks, with a host to any server that it can reach. */
function checkProbes(init: KubernetesContainer, where: string, profile: EffectiveProfile): void {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = init;
  for (const action of [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop]) {
    const host = fieldOf(action?.httpGet, 'host') ?? fieldOf(action?.tcpSocket, 'host') ?? '';
    if (host !== '') refuseBy(`${where}: a probe or hook with host ${host} is not allowed`, 'pod-security', profile);
  }
}

function checkSecurityContext(security: SecurityContext, where: string, { profile, user }: PolicySubject): void {
  const unknown = Object.keys(security).find((field) => !SECURITY_FIELDS.includes(field));
  if (unknown !== undefined) refuse(`${where}: securityContext.${unknown} cannot be set by jobs.`);
  for (const name of listIn(security.capabilities?.add))
    checkCapability(String(name), `${where}: securityContext.capabilities.add`, profile);
  const { runAsUser, runAsGroup } = security;
  if (profile.runAs.value === 'own' && runAsUser !== undefined && runAsUser !== user?.uid)
    refuseBy(`${where}: securityContext.runAsUser ${runAsUser} is not allowed`, 'run-as', profile);
  if (profile.runAs.value === 'own' && runAsGroup !== undefined && user?.groups.has(runAsGroup) !== true)
    refuseBy(`${where}: securityContext.runAsGroup ${runAsGroup} is not allowed`, 'run-as', profile);
  if (runAsUser === 0) refuseRoot(`${where}: securityContext.runAsUser 0 is not allowed`, profile);
}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** PATH_MAX of Linux, with its NUL. */
const LONGEST_PATH = 4096;

function checkHostPath(path: string, where: string, profile: EffectiveProfile): void {
  if (path.length >= LONGEST_PATH) refuse(`${where}: a host path has at most ${LONGEST_PATH - 1} bytes.`);
  const parts = segments(path);
  if (!path.startsWith('/') || parts.includes('..')) {
    refuse(`${where}: host path "${path}" must be absolute and without "..".`);
  }
  const prefixes = profile.hostPaths.value;
  const inside = (prefix: string): boolean => segments(prefix).every((segment, index) => parts[index] === segment);
  if (prefixes !== 'any' && !prefixes.some(inside)) {
    refuseBy(`${where}: host path "${path}" is not allowed`, 'host-paths', profile);
  }
}

function segments(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '' && segment !== '.');
}

interface References {
  readonly hostPaths: string[];
  readonly secrets: string[];
  readonly images: string[];
  readonly claims: string[];
  readonly configMaps: string[];
  /** Persistent volumes, by name. */
  readonly volumes: string[];
  accountToken: boolean;
}

/**
 * What a volume or container refers to, at any depth: `secret.secretName`, `secretRef.name`, `secretKeyRef.name`,
 * `csi.nodePublishSecretRef.name`, `projected.sources[].secret.name`, `projected.sources[].serviceAccountToken`.
 */
function findReferences(object: unknown): References {
  const found: References = {
    hostPaths: [],
    secrets: [],
    images: [],
    claims: [],
    configMaps: [],
    volumes: [],
    accountToken: false,
  };
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      // 50,000 arguments are strings: their indices are no names of fields.
      for (const item of value) visit(item);
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      const named = (field: string): string[] => stringsOf(fieldOf(inner, field));
      if (key === 'hostPath') found.hostPaths.push(String(fieldOf(inner, 'path') ?? ''));
      if (key === 'image') found.images.push(...named('reference'));
      if (key === 'serviceAccountToken' || key === 'podCertificate') found.accountToken = true;
      if (key === 'persistentVolumeClaim') found.claims.push(...named('claimName'));
      if (/^configMap((Key)?Ref)?$/.test(key)) found.configMaps.push(...named('name'));
      // The volume of the pod that a variable is read from is judged with the mounts of its container.
      if (key === 'fileKeyRef') continue;
      if (key === 'volumeName') found.volumes.push(...stringsOf(inner));
      // A claim that copies another claim or a snapshot, or that selects a persistent volume by its labels.
      if (key === 'dataSource' || key === 'dataSourceRef')
        found[isOwnClaim(inner) ? 'claims' : 'volumes'].push(...named('name'));
      if (key === 'selector') found.volumes.push('selected by labels');
      if (/secretName$/i.test(key)) found.secrets.push(...stringsOf(inner));
      if (/secret((key)?ref)?$/i.test(key)) found.secrets.push(...stringsOf(inner), ...named('name'));
      visit(inner);
    }
  };
  visit(object);
  return found;
}

/** Is this source of data a claim of the namespace of the job? */
const isOwnClaim = (source: unknown): boolean =>
  fieldOf(source, 'kind') === 'PersistentVolumeClaim' && fieldOf(source, 'namespace') === undefined;

const stringsOf = (value: unknown): string[] => (typeof value === 'string' ? [value] : []);

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** Does the profile allow this name? */
export function allows(allowed: Allowed, name: string): boolean {
  return allowed === 'any' || allowed.includes(name);
}

/** The images that a user sees; the default one is always among them. */
export function imagesOf(profile: EffectiveProfile): readonly string[] {
  const byDefault = profile.defaultContainerImage.value;
  return [...new Set([...profile.containerImages.value, ...(byDefault === undefined ? [] : [byDefault])])];
}

/** Throws JobError 'invalid-request' for an image that does not equal, character by character, one that the user sees. */
export function checkImage(image: string, profile: EffectiveProfile): void {
  if (profile.allowUnknownImages.value || imagesOf(profile).includes(image)) return;
  refuse(
    `Image ${image} is not one of ${imagesOf(profile).join(', ') || 'no images'} (${by('container-images', profile.containerImages)}; ${by('allow-unknown-images', profile.allowUnknownImages)}).`,
  );
}

/**
 * The container with user and groups to run with; 0 is a value. `run-as=own`: those of the user on this host, filled in
 * where the job sets none; any other is refused with JobError 'invalid-request'.
 */
export function runAs(request: JobRequest, image: string, subject: PolicySubject): Container {
  const { profile } = subject;
  const container = profile.runAs.value === 'any' ? { ...request.container, image } : ownIds(request, image, subject);
  if (container.runAsUserId === 0) {
    refuseRoot('container.runAsUserId 0 is not allowed', profile);
  }
  return container;
}

function refuseRoot(sentence: string, profile: EffectiveProfile): void {
  if (profile.runAsNonRoot.value) refuseBy(sentence, 'run-as-non-root', profile);
  if (profile.podSecurity.value === 'restricted') refuseBy(sentence, 'pod-security', profile);
}

function ownIds(request: JobRequest, image: string, { profile, user }: PolicySubject): Container {
  const container = { ...request.container, image };
  const { runAsUserId, runAsGroupId, supplementalGroupIds } = container;
  if (user === undefined) {
    const sentence = `user ${request.user} does not exist on this host, so run-as=own cannot determine a uid`;
    return refuseBy(sentence, 'run-as', profile);
  }
  if (runAsUserId !== undefined && runAsUserId !== user.uid) {
    refuseBy(`container.runAsUserId ${runAsUserId} is not that of ${request.user}, ${user.uid}`, 'run-as', profile);
  }
  if (runAsGroupId !== undefined && !user.groups.has(runAsGroupId)) {
    refuseBy(`container.runAsGroupId ${runAsGroupId} is not a group of ${request.user}`, 'run-as', profile);
  }
  const foreign = supplementalGroupIds?.find((group) => !user.groups.has(group));
  if (foreign !== undefined) {
    refuseBy(`container.supplementalGroupIds: ${foreign} is not a group of ${request.user}`, 'run-as', profile);
  }
  return {
    ...container,
    runAsUserId: user.uid,
    runAsGroupId: runAsGroupId ?? user.gid,
    supplementalGroupIds: supplementalGroupIds ?? [...user.groups],
  };
}

/**
 * Puts into a Job or Service that a template rendered what the plugin needs to find and follow it, and what the job asks
 * for and the template left out. Reports every field of the template that had to be changed.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Container, PodSpec, SecurityContext, Service } from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import { isReserved } from '../../config/profiles/profile-kinds.ts';
import { omitEmpty } from '../../system/omit-empty.ts';
import { CONTAINER_NAME, JOB_NAME_LABEL } from './annotations.ts';
import { templateRefusal } from './from-template.ts';
import { SPEC_FIELDS } from './overrides.ts';
import type { ResolvedJob } from './resolved.ts';

/** The rendered object in the form that is created, and the fields that were changed. */
interface Merged<T> {
  readonly object: T;
  readonly changes: readonly string[];
}

/** A Job of a template keeps its record at least this long after its end. */
const SHORTEST_TTL_SECONDS = 3600;

/** Fields of metadata that a template must not set. */
const FOREIGN_METADATA = [
  'generateName',
  'namespace',
  'ownerReferences',
  'finalizers',
  'uid',
  'resourceVersion',
] as const;

type Strings = Readonly<Record<string, string>>;

class Changes {
  readonly list: string[] = [];

  /** Notes a field that the template set to something else. */
  replace<T>(field: string, rendered: T | null | undefined, needed: T): T {
    if (rendered !== undefined && rendered !== null && JSON.stringify(rendered) !== JSON.stringify(needed))
      this.list.push(field);
    return needed;
  }

  remove(field: string, rendered: unknown): void {
    if (rendered !== undefined && rendered !== null) this.list.push(`${field} (removed)`);
  }
}

/** `generated`: the Job as it is built without templates. Throws JobError 'invalid-request' for what the template lost. */
export function mergeJob(
  rendered: KubernetesJob,
  generated: KubernetesJob,
  resolved: ResolvedJob,
): Merged<KubernetesJob> {
  const changes = new Changes();
  const spec = { ...rendered.spec };
  const ours = generated.spec;
  for (const field of SPEC_FIELDS) {
    if (field === 'backoffLimit' || ((field === 'parallelism' || field === 'completions') && spec[field] === 1))
      continue;
    changes.remove(`spec.${field}`, spec[field]);
    delete spec[field];
  }
  const template = { ...spec.template };
  const pod = mergePod({ ...template.spec, containers: template.spec?.containers ?? [] }, generated, resolved, changes);
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds !== null) {
    changes.list.push('spec.activeDeadlineSeconds (moved to the pod)');
    pod.activeDeadlineSeconds ??= spec.activeDeadlineSeconds;
    delete spec.activeDeadlineSeconds;
  }
  const ttl = spec.ttlSecondsAfterFinished ?? ours?.ttlSecondsAfterFinished ?? SHORTEST_TTL_SECONDS;
  const object: KubernetesJob = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: mergeMetadata(rendered.metadata, generated.metadata, 'metadata', changes),
    spec: {
      ...spec,
      backoffLimit: changes.replace('spec.backoffLimit', spec.backoffLimit, 0),
      ttlSecondsAfterFinished: Math.max(SHORTEST_TTL_SECONDS, ttl),
      template: {
        metadata: mergeMetadata(template.metadata, ours?.template.metadata, 'spec.template.metadata', changes),
        spec: pod,
      },
    },
  };
  return { object, changes: changes.list };
}

/** Labels and annotations: those of job and profile, over them the template's, over them the plugin's. */
function mergeMetadata(
  rendered: ObjectMeta | undefined,
  generated: ObjectMeta | undefined,
  field: string,
  changes: Changes,
): ObjectMeta {
  const kept = { ...rendered };
  for (const name of FOREIGN_METADATA) {
    if (name !== 'generateName') changes.remove(`${field}.${name}`, kept[name]);
    delete kept[name];
  }
  const merged = (name: 'labels' | 'annotations'): Strings => {
    const needed = Object.entries(generated?.[name] ?? {});
    const result = new Map(needed);
    for (const [key, value] of Object.entries(kept[name] ?? {})) {
      const ours = isOurs(key) ? result.get(key) : value;
      if (ours === value) result.set(key, value);
      else if (!UNREPORTED.test(key))
        changes.list.push(`${field}.${name}.${key}${ours === undefined ? ' (removed)' : ''}`);
    }
    return Object.fromEntries(result);
  };
  const labels = merged('labels');
  const annotations = merged('annotations');
  delete kept.labels;
  delete kept.annotations;
  return {
    ...kept,
    ...(generated?.name === undefined ? {} : { name: generated.name }),
    ...omitEmpty({ labels, annotations }),
  };
}

/** Keys that only the plugin sets; templates may set other labels of kubernetes.io. */
const isOurs = (key: string): boolean => isReserved('annotation', key);

/** Templates write tags with other numbers, and the input, which is in no object. */
const UNREPORTED = /^(?:USER_TAG_.*|stdin)$/;

function mergePod(rendered: PodSpec, generated: KubernetesJob, resolved: ResolvedJob, changes: Changes): PodSpec {
  const ours = generated.spec?.template.spec ?? { containers: [] };
  const { request, profile } = resolved;
  const { volumes: _volumes, serviceAccountName: _account, automountServiceAccountToken: _token, ...others } = ours;
  // What the template does not set is as the job and its profile have it; fields with a rule of their own follow.
  const spec: PodSpec = { ...others, ...withoutNull(rendered) };
  const isOnHost = request.host !== '' && rendered.nodeName === request.host;
  if (isOnHost) {
    changes.list.push('spec.template.spec.nodeName (a node affinity instead)');
    delete spec.nodeName;
  }
  const isAccount = typeof rendered.serviceAccountName === 'string' && rendered.serviceAccountName !== '';
  // A template that names the account may only repeat that of the job.
  const isTokenOfTemplate = isAccount && profile.automountServiceAccountToken.value === 'auto';
  const account: Partial<PodSpec> = omitEmpty({
    serviceAccountName: isAccount ? undefined : ours.serviceAccountName,
    automountServiceAccountToken: isTokenOfTemplate
      ? undefined
      : (rendered.automountServiceAccountToken ?? ours.automountServiceAccountToken),
  });
  const containers = rendered.containers.map((container) =>
    container.name === CONTAINER_NAME ? mergeMain(container, ours, resolved, changes) : container,
  );
  return {
    ...spec,
    ...account,
    restartPolicy: changes.replace('spec.template.spec.restartPolicy', rendered.restartPolicy, 'Never'),
    containers,
    ...omitEmpty({
      initContainers: mergeInits(
        rendered.initContainers ?? [],
        ours.initContainers ?? [],
        profile.runAs.value === 'own',
      ),
      securityContext:
        profile.runAs.value === 'own'
          ? { ...rendered.securityContext, ...ours.securityContext }
          : { ...ours.securityContext, ...rendered.securityContext },
      nodeSelector: { ...ours.nodeSelector, ...rendered.nodeSelector },
      affinity: request.host === '' ? rendered.affinity : mergedAffinity(rendered, ours),
    }),
  };
}

/** Kubernetes reads a field that is null as one that is not set. */
const withoutNull = (spec: PodSpec): PodSpec =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null)) as unknown as PodSpec;

/** The affinity of the template with the job's node as a required node, unless the template requires nodes itself. */
function mergedAffinity(rendered: PodSpec, ours: PodSpec): PodSpec['affinity'] {
  const { affinity } = rendered;
  if (affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined) return affinity;
  return { ...affinity, nodeAffinity: { ...affinity?.nodeAffinity, ...ours.affinity?.nodeAffinity } };
}

/** Init containers of the job that the template left out are put in; those of the job get its limits and security. */
function mergeInits(rendered: readonly Container[], ours: readonly Container[], isOwn: boolean): Container[] {
  const byName = new Map(ours.map((container) => [container.name, container]));
  const names = new Set(rendered.map(({ name }) => name));
  return [
    ...rendered.map((container) => {
      const generated = byName.get(container.name);
      if (generated === undefined) return container;
      const { resources: _, securityContext, ...others } = container;
      const security = isOwn ? withoutUser(securityContext) : securityContext;
      return {
        ...others,
        ...omitEmpty({
          imagePullPolicy: generated.imagePullPolicy ?? container.imagePullPolicy,
          resources: generated.resources,
          securityContext: { ...security, ...generated.securityContext },
        }),
      };
    }),
    ...ours.filter(({ name }) => !names.has(name)),
  ];
}

function mergeMain(rendered: Container, pod: PodSpec, { profile }: ResolvedJob, changes: Changes): Container {
  const ours = pod.containers.find(({ name }) => name === CONTAINER_NAME);
  checkNothingIsLost(rendered, ours);
  const { restartPolicy, command, ...others } = rendered as Container & { restartPolicy?: unknown };
  changes.remove('spec.template.spec.containers (rs-launcher-container).restartPolicy', restartPolicy);
  const isEmptyCommand = (command ?? []).every((part) => part === '' || part === null);
  return {
    ...others,
    ...omitEmpty({
      image: rendered.image ?? ours?.image,
      command: isEmptyCommand ? undefined : command,
      imagePullPolicy: rendered.imagePullPolicy ?? ours?.imagePullPolicy,
      resources: rendered.resources ?? ours?.resources,
      stdin: ours?.stdin,
      stdinOnce: ours?.stdinOnce,
      securityContext: mergeSecurity(rendered, ours, profile.runAs.value === 'own'),
    }),
  };
}

/** The template's security context with what the profile demands and the capabilities that the job asks for. */
function mergeSecurity(rendered: Container, ours: Container | undefined, isOwn: boolean): SecurityContext {
  const both = (field: 'add' | 'drop'): string[] => [
    ...new Set([
      ...(rendered.securityContext?.capabilities?.[field] ?? []),
      ...(ours?.securityContext?.capabilities?.[field] ?? []),
    ]),
  ];
  const merged: SecurityContext = { ...rendered.securityContext, ...ours?.securityContext };
  delete merged.capabilities;
  return {
    ...(isOwn ? withoutUser(merged) : merged),
    ...omitEmpty({ capabilities: omitEmpty({ add: both('add'), drop: both('drop') }) }),
  };
}

/** Under `run-as=own` the user of the pod holds for all containers of the job. */
function withoutUser(security: SecurityContext | undefined): SecurityContext {
  const { runAsUser: _user, runAsGroup: _group, ...others } = security ?? {};
  return others;
}

/** Mounts and host ports of the job that the template did not render are refused: the job would run without them. */
function checkNothingIsLost(rendered: Container, ours: Container | undefined): void {
  const paths = new Set((rendered.volumeMounts ?? []).map(({ mountPath }) => mountPath));
  const mount = ours?.volumeMounts?.find(({ mountPath }) => !paths.has(mountPath));
  if (mount !== undefined) throw templateRefusal('job.tpl', `it does not render the mount at ${mount.mountPath}`);
  const ports = new Set((rendered.ports ?? []).map(({ hostPort }) => hostPort));
  const port = ours?.ports?.find(({ hostPort }) => !ports.has(hostPort));
  if (port !== undefined) throw templateRefusal('job.tpl', `it does not render the host port ${port.hostPort}`);
}

/** `generated`: the Service as it is built without templates. */
export function mergeService(rendered: Service, generated: Service): Merged<Service> {
  const changes = new Changes();
  const name = generated.metadata?.name ?? '';
  const jobName = { [JOB_NAME_LABEL]: name };
  const withJobName = { ...generated.metadata, labels: { ...generated.metadata?.labels, ...jobName } };
  const selected = rendered.spec?.selector?.[JOB_NAME_LABEL];
  changes.replace(`spec.selector.${JOB_NAME_LABEL}`, selected, name);
  return {
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: mergeMetadata(rendered.metadata, withJobName, 'metadata', changes),
      spec: { ...generated.spec, ...rendered.spec, selector: { ...rendered.spec?.selector, ...jobName } },
    },
    changes: changes.list,
  };
}

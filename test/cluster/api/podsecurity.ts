/**
 * PodSecurity at the level "restricted": a namespace's labels say whether what violates it is refused (`enforce`) or
 * only remarked on (`warn`) (kubernetes-facts.md 138). Other levels let everything pass.
 */
import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Job, Pod, StoredObject } from '../model.ts';
import { JOBS, NAMESPACES, PODS, type Resource } from './resources.ts';
import { forbidden } from './status.ts';
import type { Draft, Store } from './store.ts';

const ALLOWED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

function isRestricted(store: Store, namespace: string, mode: 'enforce' | 'warn'): boolean {
  const labels = store.get(NAMESPACES, '', namespace)?.metadata.labels;
  return labels?.[`pod-security.kubernetes.io/${mode}`] === 'restricted';
}

/** @throws ApiError 403 for a pod in a namespace that enforces the level */
export function checkPodSecurity(store: Store, namespace: string, pod: Draft<Pod>): void {
  if (!isRestricted(store, namespace, 'enforce')) return;
  const violations = violationsOf(pod.spec);
  if (violations.length === 0) return;
  throw forbidden(PODS, pod.metadata.name ?? '', `violates PodSecurity "restricted:latest": ${violations.join(', ')}`);
}

/** Texts of Warning headers for a new Job or pod. */
export function podSecurityWarnings(
  store: Store,
  resource: Resource,
  namespace: string,
  object: Draft<StoredObject>,
): string[] {
  if (!isRestricted(store, namespace, 'warn')) return [];
  const spec =
    resource.plural === JOBS.plural
      ? (object as Draft<Job>).spec.template.spec
      : resource.plural === PODS.plural
        ? (object as Draft<Pod>).spec
        : undefined;
  const violations = spec === undefined ? [] : violationsOf(spec);
  return violations.length === 0 ? [] : [`would violate PodSecurity "restricted:latest": ${violations.join(', ')}`];
}

function violationsOf(spec: PodSpec): string[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const pod = spec.securityContext ?? {};
  const who = (violates: (container: Container) => boolean): string => {
    const names = containers.filter(violates).map(({ name }) => `"${name}"`);
    return names.length === 0 ? '' : `${names.length === 1 ? 'container' : 'containers'} ${names.join(', ')}`;
  };
  const host = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
  const volumes = (spec.volumes ?? []).flatMap(({ name, ...source }) => {
    const type = Object.keys(source)[0] ?? 'emptyDir';
    return ALLOWED_VOLUMES.includes(type) ? [] : [`volume "${name}" uses restricted volume type "${type}"`];
  });
  const escalating = who(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  const capable = who(({ securityContext }) => !(securityContext?.capabilities?.drop ?? []).includes('ALL'));
  const rootly = who(({ securityContext }) => (securityContext?.runAsNonRoot ?? pod.runAsNonRoot) !== true);
  const unconfined = who(
    ({ securityContext }) =>
      !['RuntimeDefault', 'Localhost'].includes((securityContext?.seccompProfile ?? pod.seccompProfile)?.type ?? ''),
  );
  return [
    ...(host.length === 0 ? [] : [`host namespaces (${host.map((name) => `${name}=true`).join(', ')})`]),
    ...(escalating === ''
      ? []
      : [`allowPrivilegeEscalation != false (${escalating} must set securityContext.allowPrivilegeEscalation=false)`]),
    ...(capable === ''
      ? []
      : [`unrestricted capabilities (${capable} must set securityContext.capabilities.drop=["ALL"])`]),
    ...(volumes.length === 0 ? [] : [`restricted volume types (${volumes.join(', ')})`]),
    ...(rootly === '' ? [] : [`runAsNonRoot != true (pod or ${rootly} must set securityContext.runAsNonRoot=true)`]),
    ...(unconfined === ''
      ? []
      : [
          `seccompProfile (pod or ${unconfined} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`,
        ]),
  ];
}

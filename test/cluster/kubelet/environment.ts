/**
 * Environment, command and user of a container as the kubelet composes them.
 */
import { readFileSync } from 'node:fs';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { CONFIG_MAPS, SECRETS, SERVICES } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import type { Pod } from '../model.ts';
import { expand } from './expansion.ts';
import type { Identity } from './fork.ts';

/** CreateContainerConfigError: its message is shown in the status (kubernetes-facts.md 24). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @param programs a folder that comes first in PATH @throws ConfigError */
export function environmentOf(store: Store, pod: Pod, container: Container, programs?: string): Map<string, string> {
  const variables = new Map<string, string>([
    ['PATH', programs === undefined ? PATH : `${programs}:${PATH}`],
    ['HOSTNAME', pod.metadata.name],
    ['HOME', '/'],
    ...serviceLinks(store, pod),
  ]);
  const own = new Map<string, string>();
  for (const { name, value, valueFrom } of container.env ?? []) {
    const resolved = valueFrom === undefined ? expand(value ?? '', own) : referenced(store, pod, valueFrom);
    if (resolved === undefined) continue;
    own.set(name, resolved);
    variables.set(name, resolved);
  }
  return variables;
}

type ValueSource = NonNullable<NonNullable<Container['env']>[number]['valueFrom']>;

/** Undefined for an optional one that is not there. */
function referenced(store: Store, pod: Pod, source: ValueSource): string | undefined {
  const { namespace = '' } = pod.metadata;
  const { secretKeyRef, configMapKeyRef, fieldRef } = source;
  if (fieldRef !== undefined) return fieldOf(pod, fieldRef.fieldPath);
  const [kind, resource, reference] =
    secretKeyRef !== undefined
      ? (['Secret', SECRETS, secretKeyRef] as const)
      : (['ConfigMap', CONFIG_MAPS, configMapKeyRef] as const);
  if (reference === undefined) return '';
  const { name = '', key, optional } = reference;
  const object = store.get(resource, namespace, name);
  if (object === undefined) {
    if (optional) return undefined;
    throw new ConfigError(`${kind.toLowerCase()} "${name}" not found`);
  }
  const value = object.data?.[key];
  if (value !== undefined) return kind === 'Secret' ? Buffer.from(value, 'base64').toString() : value;
  if (optional) return undefined;
  throw new ConfigError(`couldn't find key ${key} in ${kind} ${namespace}/${name}`);
}

function fieldOf(pod: Pod, path: string): string {
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': pod.metadata.name,
    'metadata.namespace': pod.metadata.namespace,
    'metadata.uid': pod.metadata.uid,
    'spec.nodeName': pod.spec.nodeName,
    'spec.serviceAccountName': pod.spec.serviceAccountName,
    'status.podIP': pod.status.podIP,
    'status.hostIP': pod.status.hostIP,
  };
  return fields[path] ?? '';
}

/** KUBERNETES_* always, those of the namespace's services unless switched off. */
function serviceLinks(store: Store, pod: Pod): [string, string][] {
  const links: [string, string][] = linksOf('KUBERNETES', '10.43.0.1', 443, 'TCP');
  links.push(['KUBERNETES_SERVICE_PORT_HTTPS', '443']);
  if (pod.spec.enableServiceLinks === false) return links;
  for (const { metadata, spec } of store.list(SERVICES, pod.metadata.namespace ?? '')) {
    const name = metadata.name.toUpperCase().replaceAll('-', '_');
    const port = spec.ports?.[0];
    if (port === undefined || spec.clusterIP === undefined || spec.clusterIP === 'None') continue;
    links.push(...linksOf(name, spec.clusterIP, port.port, port.protocol ?? 'TCP'));
  }
  return links;
}

function linksOf(name: string, ip: string, port: number, protocol: string): [string, string][] {
  const url = `${protocol.toLowerCase()}://${ip}:${port}`;
  const prefix = `${name}_PORT_${port}_${protocol}`;
  return [
    [`${name}_SERVICE_HOST`, ip],
    [`${name}_SERVICE_PORT`, String(port)],
    [`${name}_PORT`, url],
    [prefix, url],
    [`${prefix}_PROTO`, protocol.toLowerCase()],
    [`${prefix}_PORT`, String(port)],
    [`${prefix}_ADDR`, ip],
  ];
}

/** `command` and `args` with variables filled in; args alone go to what the image would start. */
export function commandOf(container: Container, variables: ReadonlyMap<string, string>): string[] {
  const own = new Map((container.env ?? []).flatMap(({ name }) => pairOf(name, variables)));
  const command = container.command ?? [];
  const args = (container.args ?? []).map((text) => expand(text, own));
  if (command.length > 0) return [...command.map((text) => expand(text, own)), ...args];
  // No image is really there; its entrypoint is that of busybox: a shell without input.
  return args.length > 0 ? args : ['/bin/sh'];
}

function pairOf(name: string, variables: ReadonlyMap<string, string>): [string, string][] {
  const value = variables.get(name);
  return value === undefined ? [] : [[name, value]];
}

export function userOf(pod: Pod, container: Container): number {
  return container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser ?? 0;
}

function groupOf(pod: Pod, container: Container): number {
  return container.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup ?? 0;
}

const NOBODY = 65534;

/**
 * As root, processes run as nobody, or as the uid the pod asks for where this machine has no such user: what a pod says
 * must not decide over a real user's processes. Not root: as whoever runs the simulator.
 */
export function identityOf(pod: Pod, container: Container): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const user = userOf(pod, container);
  const group = groupOf(pod, container);
  const free = (file: string, id: number): boolean => id > 0 && !idsIn(file).has(id);
  return {
    uid: free('/etc/passwd', user) ? user : NOBODY,
    gid: free('/etc/group', group) ? group : NOBODY,
  };
}

function idsIn(file: string): Set<number> {
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Set(lines.map((line) => Number(line.split(':')[2])));
}

/**
 * What the API server adds to objects that are created (kubernetes-facts.md 1, 67).
 */
import type { JobSpec } from 'kubernetes-types/batch/v1.d.ts';
import type { Container, PodSpec, ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Job, Meta, Pod } from '../model.ts';

const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** Five characters, as generateName appends them. */
export function nameSuffix(random: () => number): string {
  let text = '';
  for (let i = 0; i < 5; i++) text += SUFFIX_ALPHABET.charAt(Math.floor(random() * SUFFIX_ALPHABET.length));
  return text;
}

function defaultContainer(container: Container): Container {
  return {
    ...container,
    resources: container.resources ?? {},
    terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
    terminationMessagePolicy: container.terminationMessagePolicy ?? 'File',
    imagePullPolicy: container.imagePullPolicy ?? (isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent'),
    ...(container.ports === undefined
      ? {}
      : { ports: container.ports.map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' })) }),
    ...(container.env === undefined ? {} : { env: container.env.map(defaultEnv) }),
  };
}

function isLatest(image: string): boolean {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return !image.includes('@') && (!last.includes(':') || last.endsWith(':latest'));
}

type EnvVar = NonNullable<Container['env']>[number];

function defaultEnv(variable: EnvVar): EnvVar {
  const field = variable.valueFrom?.fieldRef;
  if (field === undefined) return variable.value === '' ? { name: variable.name } : variable;
  return { ...variable, valueFrom: { fieldRef: { ...field, apiVersion: field.apiVersion ?? 'v1' } } };
}

const VOLUME_MODES: Readonly<Record<string, object>> = {
  secret: { defaultMode: 420 },
  configMap: { defaultMode: 420 },
  projected: { defaultMode: 420 },
  downwardAPI: { defaultMode: 420 },
  hostPath: { type: '' },
};

type Volume = NonNullable<PodSpec['volumes']>[number];

function defaultVolume(volume: Volume): Volume {
  const entries = Object.entries(volume).map(([key, source]) => [
    key,
    VOLUME_MODES[key] === undefined ? source : { ...VOLUME_MODES[key], ...source },
  ]);
  return Object.fromEntries(entries);
}

function defaultPodSpec(spec: PodSpec): PodSpec {
  return {
    ...spec,
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(defaultVolume) }),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(defaultContainer) }),
    containers: (spec.containers ?? []).map(defaultContainer),
    restartPolicy: spec.restartPolicy ?? 'Always',
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec.dnsPolicy ?? 'ClusterFirst',
    ...(spec.serviceAccountName === undefined ? {} : { serviceAccount: spec.serviceAccountName }),
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName ?? 'default-scheduler',
  };
}

/** The uid must be known: it becomes part of selector and labels. */
export function defaultJob(draft: { metadata: Partial<Meta>; spec: JobSpec }): Omit<Job, 'metadata'> {
  const { name = '', uid = '' } = draft.metadata;
  const spec: Partial<JobSpec> = draft.spec ?? {};
  const identity = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  return {
    kind: 'Job',
    apiVersion: 'batch/v1',
    spec: {
      parallelism: spec.parallelism ?? 1,
      completions: spec.completions ?? 1,
      ...spec,
      backoffLimit: spec.backoffLimit ?? 6,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      manualSelector: false,
      template: {
        metadata: {
          ...spec.template?.metadata,
          labels: sortedRecord({ ...spec.template?.metadata?.labels, ...identity }),
        },
        spec: defaultPodSpec(spec.template?.spec ?? { containers: [] }),
      },
      completionMode: spec.completionMode ?? 'NonIndexed',
      suspend: spec.suspend ?? false,
      podReplacementPolicy: spec.podReplacementPolicy ?? 'TerminatingOrFailed',
    },
    status: {},
  };
}

function sortedRecord(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Where no container asks for anything: BestEffort; all limits equal to the requests: Guaranteed. */
function qosClass(spec: PodSpec): string {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const lists = containers.map(({ resources }) => ({
    limits: compute(resources?.limits),
    requests: compute({ ...resources?.limits, ...resources?.requests }),
  }));
  if (lists.every(({ limits, requests }) => limits.length === 0 && requests.length === 0)) return 'BestEffort';
  const guaranteed = lists.every(({ limits, requests }) => limits.length === 2 && limits.join() === requests.join());
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function compute(list: Readonly<Record<string, string>> | undefined): string[] {
  return ['cpu', 'memory'].flatMap((name) => (list?.[name] === undefined ? [] : [`${name}=${list[name]}`]));
}

/** What admission adds to a pod: its service account's volume, tolerations, priority (recording 01). */
export function completePod(spec: PodSpec, random: () => number): PodSpec {
  const defaulted = defaultPodSpec(spec);
  const account = defaulted.serviceAccountName ?? 'default';
  const mounted = defaulted.automountServiceAccountToken !== false;
  const volume = `kube-api-access-${nameSuffix(random)}`;
  const mount = { name: volume, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
  const withMount = (container: Container): Container => ({
    ...container,
    ...withRequests(container),
    ...(mounted ? { volumeMounts: [...(container.volumeMounts ?? []), mount] } : {}),
  });
  return {
    ...defaulted,
    ...(mounted ? { volumes: [...(defaulted.volumes ?? []), { name: volume, projected: TOKEN_VOLUME }] } : {}),
    ...(defaulted.initContainers === undefined ? {} : { initContainers: defaulted.initContainers.map(withMount) }),
    containers: defaulted.containers.map(withMount),
    serviceAccountName: account,
    serviceAccount: account,
    tolerations: [...(defaulted.tolerations ?? []), ...DEFAULT_TOLERATIONS.filter(isMissingIn(defaulted))],
    priority: defaulted.priority ?? 0,
    enableServiceLinks: defaulted.enableServiceLinks ?? true,
    preemptionPolicy: defaulted.preemptionPolicy ?? 'PreemptLowerPriority',
  };
}

/** A limit without a request is the request, too. */
function withRequests({ resources }: Container): Pick<Container, 'resources'> {
  if (resources?.limits === undefined) return { resources: resources ?? {} };
  return { resources: { ...resources, requests: { ...resources.limits, ...resources.requests } } };
}

const TOKEN_VOLUME: NonNullable<Volume['projected']> = {
  sources: [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] },
    },
  ],
  defaultMode: 420,
};

const DEFAULT_TOLERATIONS = ['not-ready', 'unreachable'].map((taint) => ({
  key: `node.kubernetes.io/${taint}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));

function isMissingIn(spec: PodSpec): (toleration: { key: string }) => boolean {
  return ({ key }) => !(spec.tolerations ?? []).some((toleration) => toleration.key === key);
}

export function podStatusAtCreation(spec: PodSpec): Pod['status'] {
  return { phase: 'Pending', qosClass: qosClass(spec) };
}

interface ServiceAllocation {
  readonly clusterIP: string;
  /** A free node port, or the one asked for. */
  readonly nodePort: (asked: number | undefined) => number;
}

export function defaultService(spec: ServiceSpec, allocation: ServiceAllocation): ServiceSpec {
  const type = spec.type ?? 'ClusterIP';
  const hasNodePorts = type === 'NodePort' || type === 'LoadBalancer';
  const clusterIP = spec.clusterIP ?? allocation.clusterIP;
  return {
    ...spec,
    ports: (spec.ports ?? []).map((port) => ({
      ...port,
      protocol: port.protocol ?? 'TCP',
      targetPort: port.targetPort ?? port.port,
      ...(hasNodePorts ? { nodePort: allocation.nodePort(port.nodePort) } : {}),
    })),
    clusterIP,
    clusterIPs: spec.clusterIPs ?? [clusterIP],
    type,
    sessionAffinity: spec.sessionAffinity ?? 'None',
    ...(hasNodePorts ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' } : {}),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: true } : {}),
    ipFamilies: spec.ipFamilies ?? ['IPv4'],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack',
    internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster',
  };
}

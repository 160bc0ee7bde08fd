/**
 * The kinds of objects that are served, and what differs between them. Everything else is common to all.
 */
import type {
  ClusterEvent,
  ClusterNode,
  ConfigMap,
  DisruptionBudget,
  Job,
  LimitRange,
  Namespace,
  Pod,
  PriorityClass,
  ResourceQuota,
  Secret,
  Service,
  StoredObject,
} from '../model.ts';

export interface Resource<T extends StoredObject = StoredObject> {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Labels that a field selector may name beside metadata.name and metadata.namespace -> where the value is. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  /** Whether `spec` changes count in metadata.generation. */
  readonly generation: boolean;
  /** Objects with a `status` that only /status and the cluster's own parts may write. */
  readonly hasStatus: boolean;
  /** Events bypass the watch cache: no bookmarks, another text for 410 (kubernetes-facts.md 99, 103). */
  readonly cached: boolean;
  /** What a bookmark's object holds beside metadata (kubernetes-facts.md 103). */
  readonly bookmark: object;
  /** Only for the type checker. */
  readonly objects?: T;
}

const core = { group: '', version: 'v1', namespaced: true, generation: false, hasStatus: false, cached: true };
const path = (...labels: string[]): Record<string, readonly string[]> =>
  Object.fromEntries(labels.map((label) => [label, label.split('.')]));

export const JOBS: Resource<Job> = {
  group: 'batch',
  version: 'v1',
  plural: 'jobs',
  kind: 'Job',
  namespaced: true,
  fields: { 'status.successful': ['status', 'succeeded'] },
  generation: true,
  hasStatus: true,
  cached: true,
  bookmark: { spec: { template: { metadata: {}, spec: { containers: null } } }, status: {} },
};
export const PODS: Resource<Pod> = {
  ...core,
  plural: 'pods',
  kind: 'Pod',
  fields: path(
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ),
  generation: true,
  hasStatus: true,
  bookmark: { spec: { containers: null }, status: {} },
};
export const SERVICES: Resource<Service> = {
  ...core,
  plural: 'services',
  kind: 'Service',
  fields: path('spec.clusterIP', 'spec.type'),
  hasStatus: true,
  bookmark: { spec: {}, status: { loadBalancer: {} } },
};
export const SECRETS: Resource<Secret> = {
  ...core,
  plural: 'secrets',
  kind: 'Secret',
  fields: path('type'),
  bookmark: {},
};
export const CONFIG_MAPS: Resource<ConfigMap> = {
  ...core,
  plural: 'configmaps',
  kind: 'ConfigMap',
  fields: {},
  bookmark: {},
};
export const EVENTS: Resource<ClusterEvent> = {
  ...core,
  plural: 'events',
  kind: 'Event',
  fields: {
    ...path(
      'involvedObject.kind',
      'involvedObject.namespace',
      'involvedObject.name',
      'involvedObject.uid',
      'involvedObject.apiVersion',
      'involvedObject.resourceVersion',
      'involvedObject.fieldPath',
      'reason',
      'reportingComponent',
      'type',
    ),
    source: ['source', 'component'],
  },
  cached: false,
  bookmark: {},
};
export const SERVICE_ACCOUNTS: Resource = {
  ...core,
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  fields: {},
  bookmark: {},
};
export const NODES: Resource<ClusterNode> = {
  ...core,
  plural: 'nodes',
  kind: 'Node',
  namespaced: false,
  fields: path('spec.unschedulable'),
  hasStatus: true,
  bookmark: { spec: {}, status: {} },
};
export const NAMESPACES: Resource<Namespace> = {
  ...core,
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
  fields: path('status.phase'),
  bookmark: { spec: {}, status: {} },
};
export const QUOTAS: Resource<ResourceQuota> = {
  ...core,
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  fields: {},
  hasStatus: true,
  bookmark: { spec: {}, status: {} },
};
export const LIMIT_RANGES: Resource<LimitRange> = {
  ...core,
  plural: 'limitranges',
  kind: 'LimitRange',
  fields: {},
  bookmark: { spec: { limits: null } },
};

export const PRIORITY_CLASSES: Resource<PriorityClass> = {
  ...core,
  group: 'scheduling.k8s.io',
  plural: 'priorityclasses',
  kind: 'PriorityClass',
  namespaced: false,
  fields: {},
  generation: true,
  bookmark: { value: 0 },
};
export const DISRUPTION_BUDGETS: Resource<DisruptionBudget> = {
  ...core,
  group: 'policy',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  fields: {},
  generation: true,
  hasStatus: true,
  bookmark: { spec: {}, status: {} },
};

export const RESOURCES: readonly Resource[] = [
  JOBS,
  PODS,
  SERVICES,
  SECRETS,
  CONFIG_MAPS,
  EVENTS,
  SERVICE_ACCOUNTS,
  NODES,
  NAMESPACES,
  QUOTAS,
  LIMIT_RANGES,
  PRIORITY_CLASSES,
  DISRUPTION_BUDGETS,
];

export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

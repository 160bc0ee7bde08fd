/**
 * What happens to a new object between the request and the store: names, defaults, admission. Jobs' pods take the same
 * way as objects that a client posts.
 */
import { randomUUID } from 'node:crypto';
import type { Job, LimitRange, Meta, Namespace, Pod, Secret, Service, StoredObject } from '../model.ts';
import { checkNew } from './checks.ts';
import { completePod, defaultJob, defaultService, nameSuffix, podStatusAtCreation } from './defaults.ts';
import { checkLimits, defaultLimitRange, withLimitDefaults } from './limits.ts';
import { checkPodSecurity, podSecurityWarnings } from './podsecurity.ts';
import { withPriority } from './priority.ts';
import { checkQuotas } from './quotas.ts';
import {
  DISRUPTION_BUDGETS,
  JOBS,
  LIMIT_RANGES,
  NAMESPACES,
  PODS,
  QUOTAS,
  type Resource,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from './resources.ts';
import { ApiError, forbidden, invalid } from './status.ts';
import type { Draft, Store } from './store.ts';

/** Refuses a new object, or changes it; in the order in which they were added. */
type AdmissionPlugin = (resource: Resource, object: Draft<StoredObject>, store: Store) => void;

export interface Admission {
  /** A complete object, ready for the store. @throws ApiError 403 or 422 */
  readonly admit: (resource: Resource, namespace: string, body: Draft<StoredObject>) => Draft<StoredObject>;
  /** Texts of Warning headers for a new object. */
  readonly warnings: (resource: Resource, namespace: string, object: Draft<StoredObject>) => readonly string[];
  readonly plugins: AdmissionPlugin[];
}

export function createAdmission(store: Store, random: () => number): Admission {
  const plugins: AdmissionPlugin[] = [];

  function completed(resource: Resource, draft: Draft<StoredObject>): Draft<StoredObject> {
    const { metadata } = draft;
    switch (resource.plural) {
      case JOBS.plural:
        return withTemplateLabels(draft as Draft<Job>, defaultJob(draft as Draft<Job>));
      case PODS.plural: {
        const complete = withPriority(store, metadata, completePod((draft as Draft<Pod>).spec, random));
        const limited = withLimitDefaults(store, metadata.namespace ?? '', metadata, complete);
        return { ...draft, ...limited, status: podStatusAtCreation(limited.spec) } as Draft<Pod>;
      }
      case SECRETS.plural:
        return completeSecret(draft as Draft<Secret>);
      case SERVICES.plural:
        return {
          ...draft,
          spec: defaultService((draft as Draft<Service>).spec, serviceAllocation(store, metadata.name ?? '', random)),
          status: { loadBalancer: {} },
        } as Draft<Service>;
      case NAMESPACES.plural:
        return {
          ...draft,
          metadata: { ...metadata, labels: { 'kubernetes.io/metadata.name': metadata.name ?? '', ...metadata.labels } },
          spec: { finalizers: ['kubernetes'] },
          status: { phase: 'Active' },
        } as Draft<Namespace>;
      case LIMIT_RANGES.plural:
        return defaultLimitRange(draft as Draft<LimitRange>);
      case QUOTAS.plural:
        return { ...draft, status: {} } as Draft<StoredObject>;
      case DISRUPTION_BUDGETS.plural: {
        const status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
        return { ...draft, status } as Draft<StoredObject>;
      }
      default:
        return draft;
    }
  }

  return {
    plugins,
    admit: (resource, namespace, body) => {
      const metadata: Partial<Meta> = {
        ...body.metadata,
        uid: randomUUID(),
        ...(resource.namespaced ? { namespace } : {}),
      };
      if (!metadata.name && metadata.generateName !== undefined) {
        metadata.name = metadata.generateName + nameSuffix(random);
      }
      const draft = completed(resource, { ...body, metadata });
      checkNamespace(store, resource, namespace, draft.metadata.name ?? '');
      if (resource.plural === PODS.plural) checkServiceAccount(store, namespace, draft as Draft<Pod>);
      checkNew(resource, draft);
      for (const plugin of plugins) plugin(resource, draft, store);
      if (resource.plural === PODS.plural) {
        checkLimits(store, namespace, draft as Draft<Pod>);
        checkPodSecurity(store, namespace, draft as Draft<Pod>);
      }
      checkQuotas(store, resource, namespace, draft);
      return draft;
    },
    warnings: (resource, namespace, object) => podSecurityWarnings(store, resource, namespace, object),
  };
}

/** A Job without labels of its own gets those of its pods; without the cluster's own ones if the cluster also names it. */
function withTemplateLabels({ metadata, spec: asked }: Draft<Job>, job: Omit<Job, 'metadata'>): Draft<Job> {
  const isLabelled = metadata.labels !== undefined || asked?.template?.metadata?.labels === undefined;
  const labels =
    metadata.generateName === undefined ? job.spec.template.metadata?.labels : asked.template.metadata?.labels;
  return { ...job, metadata: isLabelled ? metadata : { ...metadata, labels: { ...labels } } };
}

function completeSecret(secret: Draft<Secret>): Draft<Secret> {
  const complete = { ...secret, type: secret.type ?? 'Opaque' };
  encodeText(complete);
  return complete;
}

/** `stringData` of a Secret is only for writing: it becomes part of `data`. */
export function encodeText(object: object): void {
  const secret: { data?: Record<string, string>; stringData?: Record<string, string> } = object;
  const { stringData } = secret;
  if (stringData === undefined) return;
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  secret.data = { ...secret.data, ...Object.fromEntries(encoded) };
  delete secret.stringData;
}

function checkNamespace(store: Store, resource: Resource, namespace: string, name: string): void {
  if (!resource.namespaced) return;
  const found = store.get(NAMESPACES, '', namespace);
  if (found === undefined) {
    throw new ApiError(404, 'NotFound', `namespaces "${namespace}" not found`, { name: namespace, kind: 'namespaces' });
  }
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw forbidden(resource, name, why, [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ]);
}

function checkServiceAccount(store: Store, namespace: string, pod: Draft<Pod>): void {
  const account = pod.spec.serviceAccountName ?? 'default';
  if (store.get(SERVICE_ACCOUNTS, namespace, account) !== undefined) return;
  const name = pod.metadata.generateName ?? pod.metadata.name ?? '';
  throw forbidden(
    PODS,
    name,
    `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`,
  );
}

const NODE_PORTS = { first: 30000, last: 32767 };

function serviceAllocation(store: Store, name: string, random: () => number) {
  const services = store.list(SERVICES);
  const taken = new Set(services.flatMap(({ spec }) => (spec.ports ?? []).map((port) => port.nodePort)));
  return {
    clusterIP: `10.43.${Math.floor(random() * 255)}.${1 + Math.floor(random() * 254)}`,
    nodePort: (asked: number | undefined): number => {
      if (asked === undefined) {
        const all = NODE_PORTS.last - NODE_PORTS.first + 1;
        // As Kubernetes says it; not recorded.
        if ([...taken].filter((port) => port !== undefined).length >= all)
          throw new ApiError(
            500,
            'InternalError',
            'Internal error occurred: failed to allocate a nodePort: range is full',
          );
        let port = NODE_PORTS.first;
        do port = NODE_PORTS.first + Math.floor(random() * 2768);
        while (taken.has(port));
        taken.add(port);
        return port;
      }
      const refuse = (why: string): ApiError =>
        invalid('Service', '', name, [
          {
            reason: 'FieldValueInvalid',
            message: `Invalid value: ${asked}: ${why}`,
            field: 'spec.ports[0].nodePort',
          },
        ]);
      if (asked < NODE_PORTS.first || asked > NODE_PORTS.last) {
        throw refuse('provided port is not in the valid range. The range of valid ports is 30000-32767');
      }
      if (taken.has(asked)) throw refuse('provided port is already allocated');
      taken.add(asked);
      return asked;
    },
  };
}

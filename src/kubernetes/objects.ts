/** Requests for objects: get, list, create, patch, delete, access reviews, and the server's version. */
import type { Client, KubernetesObject, Permission, Resource, WriteOptions } from './contract.ts';
import type { Calls } from './http/calls.ts';
import type { ApiRequest } from './http/transport.ts';
import { isAlreadyExists, isNotFound, KubernetesError } from './kubernetes-error.ts';
import { queryOf, resourcePath } from './paths.ts';
import { listAll } from './watch/lists.ts';

const MERGE_PATCH = 'application/merge-patch+json';

/** Resources without a namespace that are used in access reviews. */
const CLUSTER_WIDE: ReadonlySet<string> = new Set(['nodes', 'namespaces']);

type Objects = Pick<Client, 'get' | 'list' | 'create' | 'patch' | 'delete' | 'allowed' | 'version'>;

export function createObjects(calls: Calls, namespace: string, fetchLimit: number): Objects {
  const getOf = <T extends KubernetesObject>(resource: Resource<T>, name: string) =>
    ({ method: 'GET', path: resourcePath(resource, namespace, name), idempotent: true }) as const;

  const get: Client['get'] = (resource, name, options) => calls.send({ ...getOf(resource, name), options });

  const create: Client['create'] = (resource, object, options = {}) => {
    const { isOurs } = options;
    const name = object.metadata?.name;
    const path = resourcePath(resource, namespace);
    const timeoutMs = options.timeoutMs ?? calls.timeoutMs;
    return calls.within('POST', path, options, timeoutMs, async (signal) => {
      try {
        return await calls.sendUntil({
          method: 'POST',
          path,
          query: writeQuery(options),
          body: json(object),
          idempotent: isOurs !== undefined && name !== undefined,
          timeoutMs,
          signal,
        });
      } catch (error) {
        if (isOurs === undefined || name === undefined || !isAlreadyExists(error)) throw error;
        const found = calls.sendUntil<typeof object>({ ...getOf(resource, name), timeoutMs, signal });
        const stored = await found.catch((cause: unknown) => {
          signal.throwIfAborted();
          if (isNotFound(cause)) throw error;
          if (!(cause instanceof KubernetesError)) throw cause;
          const text = `an object with this name exists, but its owner could not be determined: ${cause.text}`;
          throw new KubernetesError({ code: 'interrupted', method: 'POST', path, text, cause });
        });
        if (isOurs(stored.object)) return stored;
        throw error;
      }
    });
  };

  const list: Client['list'] = (resource, selection = {}, options) => {
    const timeoutMs = options?.timeoutMs ?? calls.timeoutMs;
    return calls.within('GET', resourcePath(resource, namespace), options, timeoutMs, (signal) =>
      listAll({
        resource,
        namespace,
        selection,
        fetchLimit,
        get: async (path, query) => {
          const answer = await calls.sendUntil({ method: 'GET', path, query, idempotent: true, timeoutMs, signal });
          return answer.object;
        },
      }),
    );
  };

  const patch: Client['patch'] = (resource, name, change, options = {}) =>
    calls.send({
      method: 'PATCH',
      path: resourcePath(resource, namespace, name),
      query: writeQuery(options),
      body: json(change, MERGE_PATCH),
      idempotent: true,
      options,
    });

  const remove: Client['delete'] = async (resource, name, options) => {
    const { propagationPolicy, gracePeriodSeconds, uid } = options;
    const preconditions = uid === undefined ? undefined : { uid };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, gracePeriodSeconds, preconditions };
    const path = resourcePath(resource, namespace, name);
    try {
      await calls.send({ method: 'DELETE', path, body: json(body), idempotent: true, options });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  };

  const allowed: Client['allowed'] = async (access, options) => {
    const { object } = await calls.send<{ status?: { allowed?: unknown; reason?: unknown } } | null>({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: json(review(access, namespace)),
      idempotent: true,
      options,
    });
    const { allowed: isAllowed, reason } = object?.status ?? {};
    return { allowed: isAllowed === true, reason: typeof reason === 'string' ? reason : '' };
  };

  const version: Client['version'] = async (options) => {
    const path = '/version';
    const { object } = await calls.send<VersionInfo>({ method: 'GET', path, idempotent: true, isProbe: true, options });
    const { major, minor, gitVersion } = object;
    if (typeof major !== 'string' || typeof minor !== 'string' || typeof gitVersion !== 'string') {
      const text = 'the answer holds no version of a Kubernetes API server';
      throw new KubernetesError({ code: 'bad-answer', method: 'GET', path, text });
    }
    // Some vendors append a plus sign: "25+".
    return { major: Number.parseInt(major, 10), minor: Number.parseInt(minor, 10), gitVersion };
  };

  return { get, list, create, patch, delete: remove, allowed, version };
}

interface VersionInfo {
  readonly major?: unknown;
  readonly minor?: unknown;
  readonly gitVersion?: unknown;
}

function json(value: unknown, type = 'application/json'): ApiRequest['body'] {
  return { type, text: JSON.stringify(value) };
}

function writeQuery(options: WriteOptions): string {
  return queryOf({ dryRun: options.dryRun ? 'All' : undefined, fieldValidation: options.fieldValidation ?? 'Warn' });
}

function review(permission: Permission, ownNamespace: string): unknown {
  const { verb, group, resource, subresource, name } = permission;
  const namespace = permission.namespace ?? (CLUSTER_WIDE.has(resource) ? '' : ownNamespace);
  return {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { namespace, verb, group, resource, subresource, name } },
  };
}

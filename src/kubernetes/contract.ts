/**
 * The Kubernetes API as the rest of the program uses it; nothing here depends on launchers or launcher jobs. Every call
 * rejects with a KubernetesError or with the reason of an aborted signal.
 */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Event, Node, Pod, Secret, Service, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import { isObject } from '../system/json.ts';

/** Any object of the API. */
export interface KubernetesObject {
  readonly metadata?: ObjectMeta;
}

/** True for an object of which name, uid and resourceVersion are strings where they are set. */
export function isKubernetesObject(value: unknown): value is KubernetesObject {
  if (!isObject(value)) return false;
  const metadata = value['metadata'] ?? {};
  if (!isObject(metadata)) return false;
  return ['name', 'uid', 'resourceVersion'].every((field) => {
    const found = metadata[field] ?? '';
    return typeof found === 'string';
  });
}

/** One kind of object and its place in the API. `T` is the type of its objects. */
export interface Resource<T extends KubernetesObject> {
  /** API group, '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Only for the type checker; never set. */
  readonly objects?: T;
}

export const JOBS: Resource<Job> = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };
export const PODS: Resource<Pod> = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
export const SERVICES: Resource<Service> = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  namespaced: true,
};
export const SECRETS: Resource<Secret> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};
export const EVENTS: Resource<Event> = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };
export const SERVICE_ACCOUNTS: Resource<ServiceAccount> = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};
export const NODES: Resource<Node> = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };

/** Object of metrics.k8s.io/v1beta1 for a pod (kubernetes-facts.md 118); quantities such as `299412860n`, `644Ki`. */
export interface PodMetrics extends KubernetesObject {
  readonly timestamp?: string;
  readonly window?: string;
  readonly containers?: readonly {
    readonly name: string;
    readonly usage: { readonly cpu?: string; readonly memory?: string };
  }[];
}
export const POD_METRICS: Resource<PodMetrics> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  plural: 'pods',
  kind: 'PodMetrics',
  namespaced: true,
};

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Deadline of the call, retries included; default: option `request-timeout-seconds`. */
  readonly timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  readonly dryRun?: boolean;
  /** Default Warn: unknown fields pass with a warning (kubernetes-facts.md 115). */
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
}

interface DeleteOptions extends CallOptions {
  /** Required, because the default of a Job orphans its pods (kubernetes-facts.md 63). */
  readonly propagationPolicy: 'Background' | 'Foreground' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  /** Delete only if the object still has this uid (else 409). */
  readonly uid?: string;
}

export interface Answer<T> {
  readonly object: T;
  /** Messages of the `Warning` headers. */
  readonly warnings: readonly string[];
  /** Date header in milliseconds since 1970: the server's clock; undefined without that header. */
  readonly date: number | undefined;
}

export interface Selection {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The version of the complete list, which is that of its first page. */
  readonly resourceVersion: string;
}

/** One verb on one resource, as in a SelfSubjectAccessReview and in a rule of a Role. */
export interface Permission {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** Default: the client's namespace for namespaced resources; '' asks cluster-wide. */
  readonly namespace?: string;
}

interface AccessReview {
  readonly allowed: boolean;
  /** The server's reason: the binding that grants it, or why it is denied; '' if there is none. */
  readonly reason: string;
}

export interface ExecResult {
  /** From the server's Status: 0, or the cause ExitCode; undefined if the program did not start, or without a Status. */
  readonly exitCode: number | undefined;
  /** stdout and stderr, cut after `maxOutputBytes`. */
  readonly output: string;
  /** The message of a Status that is not Success, else ''. */
  readonly message: string;
}

/** Container of a followed log; the caller reports its end from its own watch of pods. */
export interface LogSubject {
  readonly pod: string;
  readonly container: string;
  /** Aborted when the container has ended or its pod was deleted; the rest of the log is then read to its end. */
  readonly ended: AbortSignal;
}

export interface Client {
  readonly namespace: string;
  /** The API server's clock now, calculated from its last Date header; undefined before the first answer. */
  readonly serverTime: () => number | undefined;
  /** GET /version. */
  readonly version: (options?: CallOptions) => Promise<{ major: number; minor: number; gitVersion: string }>;
  readonly get: <T extends KubernetesObject>(
    resource: Resource<T>,
    name: string,
    options?: CallOptions,
  ) => Promise<Answer<T>>;
  /** All pages, each of at most `fetch-limit` objects. An expired continue token starts the list again. */
  readonly list: <T extends KubernetesObject>(
    resource: Resource<T>,
    selection?: Selection,
    options?: CallOptions,
  ) => Promise<Page<T>>;
  /**
   * POST. `isOurs` makes it idempotent: a lost answer is retried with the same name, and a 409 AlreadyExists counts as
   * success if `isOurs` accepts the stored object (architecture.md section 5).
   */
  readonly create: <T extends KubernetesObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions & { readonly isOurs?: (stored: T) => boolean },
  ) => Promise<Answer<T>>;
  /** PATCH with application/merge-patch+json. With a resourceVersion in its metadata, a changed object gives 409 Conflict. */
  readonly patch: <T extends KubernetesObject>(
    resource: Resource<T>,
    name: string,
    patch: unknown,
    options?: WriteOptions,
  ) => Promise<Answer<T>>;
  /** DELETE; resolves with false if the object does not exist. */
  readonly delete: <T extends KubernetesObject>(
    resource: Resource<T>,
    name: string,
    options: DeleteOptions,
  ) => Promise<boolean>;
  /** SelfSubjectAccessReview: does the account have this permission? */
  readonly allowed: (permission: Permission, options?: CallOptions) => Promise<AccessReview>;
  /**
   * Follows the log of a container to its end, over any number of connections, without losing or repeating a byte that the
   * node still has. Waits for a container that has not started. Ends when the container has ended and its log was read, or
   * when the pod was deleted. Reads only as fast as the consumer; each chunk is valid until the next one is requested. Rejects with a KubernetesError: `not-found` if the pod
   * was deleted before anything was read, `forbidden` after some seconds, a refused request, or the error that has
   * prevented reading the log of an ended container for a minute.
   */
  readonly followLog: (subject: LogSubject, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Runs a command in a container (needs `pods/exec`). Output after `maxOutputBytes` (default 65536) is dropped; rejects if it writes more than 1 MiB. */
  readonly exec: (
    pod: string,
    container: string,
    command: readonly string[],
    options?: CallOptions & { readonly maxOutputBytes?: number },
  ) => Promise<ExecResult>;
  /**
   * Writes `input` to the container's stdin with back-pressure and closes it (needs `pods/attach`). A program may read
   * slowly: without `timeoutMs` only the connection has a deadline; abort the signal when the container ends.
   */
  readonly attachInput: (pod: string, container: string, input: Uint8Array, options?: CallOptions) => Promise<void>;
  /** List and watch of one kind (reflector.ts); it starts with `run`. */
  readonly reflector: <T extends KubernetesObject, P extends Projected>(
    options: ReflectorOptions<T, P>,
  ) => Reflector<P>;
  /** Reads the version every few seconds until the signal is aborted, so that the log reports a server that does not answer. */
  readonly reportOutages: (signal: AbortSignal) => Promise<void>;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

/** The fields of an object that are kept in memory. */
export interface Projected {
  readonly uid: string;
  readonly name: string;
  readonly resourceVersion: string;
}

export interface ReflectorOptions<T extends KubernetesObject, P extends Projected> {
  readonly resource: Resource<T>;
  readonly selection: Selection;
  /**
   * Called for each object of a list and each event of a watch, not for bookmarks. undefined: the object is not selected; nothing
   * of it is kept, and a known version of it is reported as deleted.
   */
  readonly project: (object: T) => P | undefined;
  /**
   * A faster way to the projection of an object of which a version is known: called before `project` with each event of a watch
   * in protobuf, as it was sent. undefined: `project` decides.
   */
  readonly projectKnown?: (event: Buffer, known: (uid: string) => P | undefined) => P | undefined;
  readonly onEvent: (event: ReflectorEvent<P>) => void;
  /** The kind may be watched without permission to list it: a watch without a version starts with all objects. */
  readonly isListOptional?: true;
}

/**
 * A change of one object. A deletion carries the last state (kubernetes-facts.md 48); one that the watch missed and a re-list
 * found (`found: 'relist'`) carries the last state known, so that how the object ended was not seen.
 */
export type ReflectorEvent<P> =
  | { readonly type: 'ADDED' | 'MODIFIED'; readonly object: P }
  | { readonly type: 'DELETED'; readonly object: P; readonly found: 'watch' | 'relist' };

export interface ReflectorState {
  /** False before the first list, and from a failure on until the next list or watch works. */
  readonly synced: boolean;
  readonly lastError: Error | undefined;
}

export interface Reflector<P extends Projected> {
  readonly objects: () => Iterable<P>;
  readonly get: (uid: string) => P | undefined;
  readonly state: () => ReflectorState;
  /** Resolves after the first complete list. */
  readonly synced: (signal: AbortSignal) => Promise<void>;
  /** Resolves after the first list, also if it failed. */
  readonly tried: (signal: AbortSignal) => Promise<void>;
  /** Resolves when everything up to this resourceVersion has been seen (compared as integers, one kind only). */
  readonly reached: (resourceVersion: string, signal: AbortSignal) => Promise<void>;
  /**
   * Takes in the answer of a call at once, without waiting for the watch; older versions are ignored. `isListed`: the object is
   * from a list that was just read, so it exists although the watch has passed its version (the projection ignored it).
   * `isWatched` (default true): the watch selects the object. A watch that does not show its version soon is silent.
   */
  readonly offer: (object: P, options?: { readonly isListed?: boolean; readonly isWatched?: boolean }) => void;
  /** Lists and watches until the signal is aborted; never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

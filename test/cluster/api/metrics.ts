/**
 * metrics.k8s.io, which a cluster has or not (kubernetes-facts.md 117, 118): what the processes of the containers really use.
 */
import type { User } from '../accounts.ts';
import type { Kubelet } from '../kubelet/kubelet.ts';
import type { PodWorker } from '../kubelet/worker.ts';
import { timestamp } from '../model.ts';
import { type ClusterClock, createTimers } from '../timers.ts';
import { type Access, denied } from './access.ts';
import { labelSelector } from './selectors.ts';
import { ApiError } from './status.ts';

export interface Metrics {
  /** Undefined while the cluster has no metrics. @throws ApiError 403, 404, 503 */
  readonly answer: (pathname: string, user: User, query: URLSearchParams) => object | undefined;
  readonly setState: (state: 'absent' | 'present') => void;
  readonly close: () => void;
}

const API = 'metrics.k8s.io/v1beta1';
const PATH = /^\/apis\/metrics\.k8s\.io\/v1beta1\/namespaces\/([^/]+)\/pods(?:\/([^/]+))?$/;

interface Sample {
  readonly at: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** Cores, over the time since the sample before. */
  readonly cores: number;
  readonly windowMs: number;
}

export function createMetrics(
  kubelets: () => Iterable<Kubelet>,
  access: Access,
  clock: ClusterClock,
  sampleMs = 1000,
): Metrics {
  const samples = new Map<string, Sample>();
  let state: 'absent' | 'present' = 'absent';
  let timers = createTimers(clock);

  function workers(): PodWorker[] {
    return [...kubelets()].flatMap((kubelet) => [...kubelet.workers()]);
  }

  function sampleAll(): void {
    for (const worker of workers()) {
      for (const [name, running] of worker.containers) {
        const key = `${worker.uid}/${name}`;
        if (running.hasEnded()) {
          samples.delete(key);
          continue;
        }
        const before = samples.get(key);
        const at = clock.now();
        const usage = running.usage();
        const windowMs = at - (before?.at ?? running.startedAt);
        const cores = Math.max(0, usage.cpuMs - (before?.cpuMs ?? 0)) / Math.max(windowMs, 1);
        samples.set(key, { at, ...usage, cores, windowMs });
      }
    }
  }

  function metricsOf(worker: PodWorker): object | undefined {
    const { name, namespace, labels } = worker.pod().metadata;
    const found = [...worker.containers.keys()].flatMap((container) => {
      const sample = samples.get(`${worker.uid}/${container}`);
      return sample === undefined ? [] : [{ container, sample }];
    });
    const newest = found[0]?.sample;
    if (newest === undefined) return undefined;
    return {
      metadata: {
        name,
        namespace,
        creationTimestamp: timestamp(newest.at),
        ...(labels === undefined ? {} : { labels }),
      },
      ...measured(newest),
      containers: found.map(({ container, sample }) => ({ name: container, usage: usageOf(sample) })),
    };
  }

  /** What the pods of each node use: nothing else runs there. */
  function nodes(user: User): object {
    const attributes = { verb: 'list', group: 'metrics.k8s.io', resource: 'nodes', namespace: '' };
    if (access.allowing(user, attributes) === undefined) throw denied(user, attributes);
    const items = [...kubelets()].flatMap(({ nodeName, workers }) => {
      const uids = new Set([...workers()].map(({ uid }) => uid));
      const found = [...samples].flatMap(([key, sample]) => (uids.has(key.split('/')[0] ?? '') ? [sample] : []));
      const newest = found[0];
      if (newest === undefined) return [];
      return {
        metadata: { name: nodeName, creationTimestamp: timestamp(newest.at) },
        ...measured(newest),
        usage: usageOf({
          cores: found.reduce((sum, { cores }) => sum + cores, 0),
          memoryBytes: found.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
        }),
      };
    });
    return { kind: 'NodeMetricsList', apiVersion: API, metadata: {}, items };
  }

  return {
    answer: (pathname, user, query) => {
      if (state === 'absent') return undefined;
      const [, namespace, name] = PATH.exec(pathname) ?? [];
      if (pathname === `/apis/${API}/nodes`) return nodes(user);
      if (namespace === undefined) return undefined;
      const attributes = {
        verb: name === undefined ? 'list' : 'get',
        group: 'metrics.k8s.io',
        resource: 'pods',
        namespace,
        ...(name === undefined ? {} : { name }),
      };
      if (access.allowing(user, attributes) === undefined) throw denied(user, attributes);
      const here = workers().filter((worker) => worker.pod().metadata.namespace === namespace);
      if (name === undefined) {
        const matches = labelSelector(query.get('labelSelector') ?? '');
        const items = here.filter((worker) => matches(worker.pod())).flatMap((worker) => metricsOf(worker) ?? []);
        return { kind: 'PodMetricsList', apiVersion: API, metadata: {}, items };
      }
      const worker = here.find((one) => one.pod().metadata.name === name);
      const metrics = worker === undefined ? undefined : metricsOf(worker);
      if (metrics !== undefined) return { kind: 'PodMetrics', apiVersion: API, ...metrics };
      throw new ApiError(404, 'NotFound', `podmetrics.metrics.k8s.io "${namespace}/${name}" not found`, {
        name: `${namespace}/${name}`,
        group: 'metrics.k8s.io',
        kind: 'podmetrics',
      });
    },
    setState: (next) => {
      state = next;
      timers.close();
      if (next === 'absent') return;
      timers = createTimers(clock);
      timers.every(sampleMs, sampleAll);
      sampleAll();
    },
    close: () => timers.close(),
  };
}

function measured({ at, windowMs }: Sample): object {
  return { timestamp: timestamp(at), window: `${(windowMs / 1000).toFixed(3)}s` };
}

function usageOf({ cores, memoryBytes }: Pick<Sample, 'cores' | 'memoryBytes'>): object {
  return {
    cpu: cores === 0 ? '0' : `${Math.round(cores * 1e9)}n`,
    memory: `${Math.round(memoryBytes / 1024)}Ki`,
  };
}

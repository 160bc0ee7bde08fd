/**
 * metrics.k8s.io, which a cluster has or not (FACTS 117, 118): what the processes of the containers really use.
 */
import type { User } from '../accounts.ts';
import type { Kubelet } from '../kubelet/kubelet.ts';
import type { PodWorker } from '../kubelet/worker.ts';
import { timestamp } from '../model.ts';
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

export function createMetrics(kubelets: () => Iterable<Kubelet>, access: Access, sampleMs = 1000): Metrics {
  const samples = new Map<string, Sample>();
  let state: 'absent' | 'present' = 'absent';
  let timer: NodeJS.Timeout | undefined;

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
        const at = Date.now();
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
      timestamp: timestamp(newest.at),
      window: `${(newest.windowMs / 1000).toFixed(3)}s`,
      containers: found.map(({ container, sample }) => ({
        name: container,
        usage: {
          cpu: sample.cores === 0 ? '0' : `${Math.round(sample.cores * 1e9)}n`,
          memory: `${Math.round(sample.memoryBytes / 1024)}Ki`,
        },
      })),
    };
  }

  return {
    answer: (pathname, user, query) => {
      const [, namespace, name] = PATH.exec(pathname) ?? [];
      if (state === 'absent' || namespace === undefined) return undefined;
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
      clearInterval(timer);
      timer = next === 'present' ? setInterval(sampleAll, sampleMs) : undefined;
      if (next === 'present') sampleAll();
    },
    close: () => clearInterval(timer),
  };
}

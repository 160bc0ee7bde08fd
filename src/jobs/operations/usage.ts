/**
 * Resource usage of running jobs, from metrics.k8s.io (docs/kubernetes-facts.md 118). One poller measures a job for all
 * requests; it ends with the last request or with the job. Needs get on pods.metrics.k8s.io; list, if allowed, reads all jobs at once.
 */
import { POD_METRICS, type PodMetrics } from '../../kubernetes/contract.ts';
import { isNotFound, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { Listeners, waitFor } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import { Outage } from '../../system/outage.ts';
import type { JobsContext } from '../context.ts';
import type { JobUsage, Requester } from '../contract.ts';
import { JobError } from '../job-error.ts';
import { JOB_NAME_LABEL } from '../objects/annotations.ts';
import { quantity } from '../objects/quantity.ts';
import { isTerminal, type JobRecord } from '../view/record.ts';

/** Longest time between two measurements (docs/launcher-plugin-api.md section 0). */
const LONGEST_PAUSE_MS = 15_000;
const SHORTEST_PAUSE_MS = 1_000;
/** Deadline of one request for metrics. */
const REQUEST_MS = 5_000;
const BYTES_PER_MB = 1_000_000;
/** Oldest measurement that metrics-server returns: it makes one a minute, or misses some. */
const LATEST_MS = 5 * 60_000;

type UsageOf = (id: string, requester: Requester, signal: AbortSignal) => AsyncIterable<JobUsage>;

/** The measurement of one container; empty if there is none. */
export function usageOf(metrics: PodMetrics, container: string): JobUsage {
  const usage = metrics.containers?.find(({ name }) => name === container)?.usage;
  const cpu = quantity(usage?.cpu ?? '');
  const memory = quantity(usage?.memory ?? '');
  return {
    ...(cpu === undefined ? {} : { cpuPercent: cpu * 100 }),
    ...(memory === undefined ? {} : { residentMemory: memory / BYTES_PER_MB }),
  };
}

/** CPU time that the measurements account for. */
interface CpuTime {
  readonly seconds: number;
  /** Milliseconds since 1970, of the server that measured: the end of the last measurement. */
  readonly until: number;
  /** When it was received, by the monotonic clock of this process. */
  readonly received: number;
}

/**
 * CPU time up to a measurement: its rate multiplied by the time since the measurement before, or by its window if it is the
 * first. A repeated measurement changes nothing. If the server's clock was set (more time passed by it than by `now`,
 * monotonic, or far less), counting goes on from the new time.
 */
export function cpuTimeUntil(
  before: CpuTime | undefined,
  metrics: PodMetrics,
  usage: JobUsage,
  now: number,
): CpuTime | undefined {
  const until = Date.parse(metrics.timestamp ?? '');
  if (Number.isNaN(until) || usage.cpuPercent === undefined) return before;
  const passed = before === undefined ? windowSeconds(metrics.window ?? '') * 1000 : until - before.until;
  if (before !== undefined && (passed > now - before.received + LATEST_MS || passed < -LATEST_MS)) {
    return { seconds: before.seconds, until, received: now };
  }
  if (passed <= 0) return before;
  return { seconds: (before?.seconds ?? 0) + (usage.cpuPercent / 100) * (passed / 1000), until, received: now };
}

/** `1m2.5s` as Go writes durations; 0 if it is none. */
function windowSeconds(text: string): number {
  const [, hours = 0, minutes = 0, seconds = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text) ?? [];
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

interface Poller {
  /** Called after each measurement, and after the last one. */
  readonly listeners: Listeners;
  /** Number and value of the last measurement. */
  last: { readonly number: number; readonly usage: JobUsage };
  subscribers: number;
  readonly end: AbortController;
}

export function createUsage(context: JobsContext): UsageOf {
  const { client, clock, repository, options, log, permissions, signal: life } = context;
  const pollers = new Map<string, Poller>();
  const cpuTimes = new WeakMap<JobRecord, CpuTime>();
  const outage = new Outage(clock, log, {
    broken: 'Cannot read the resource usage of jobs; retrying (it needs metrics-server)',
    meanwhile: 'everything else works',
    restored: 'Resource usage of jobs can be read again',
  });

  /** The last list of all pods: measurements of all jobs share it. */
  let shared: { readonly at: number; readonly metrics: Promise<ReadonlyMap<string, PodMetrics>> } | undefined;

  const periodMs = (): number =>
    Math.min(Math.max(options().resourcePollSeconds * 1000, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);

  /** Metrics of a pod; undefined if there are none yet. */
  async function metricsOf(pod: string, signal: AbortSignal): Promise<PodMetrics | undefined> {
    if (!permissions.allows('usageList')) {
      return client.get(POD_METRICS, pod, { signal, timeoutMs: REQUEST_MS }).then(
        ({ object }) => object,
        (error: unknown) => {
          if (isNotFound(error)) return undefined;
          throw error;
        },
      );
    }
    const now = clock.monotonic();
    if (shared === undefined || now - shared.at >= periodMs() / 2) shared = { at: now, metrics: listMetrics() };
    return (await shared.metrics).get(pod);
  }

  async function listMetrics(): Promise<ReadonlyMap<string, PodMetrics>> {
    const { items } = await client.list(POD_METRICS, { labelSelector: JOB_NAME_LABEL }, { timeoutMs: REQUEST_MS });
    return new Map(items.map((item) => [item.metadata?.name ?? '', item]));
  }

  /** The usage of a job; the last one while metrics are not served in time. */
  async function measure(record: JobRecord, last: JobUsage, signal: AbortSignal): Promise<JobUsage> {
    const pod = record.pod;
    if (pod?.present !== true || !permissions.allows('usage')) return {};
    try {
      const metrics = await metricsOf(pod.view.name, signal);
      outage.works();
      if (metrics === undefined) return {};
      const usage = usageOf(metrics, pod.view.container.name);
      const cpuTime = cpuTimeUntil(cpuTimes.get(record), metrics, usage, clock.monotonic());
      if (cpuTime === undefined) return usage;
      cpuTimes.set(record, cpuTime);
      return { ...usage, cpuTime: cpuTime.seconds };
    } catch (error) {
      signal.throwIfAborted();
      const isDenied =
        (await permissions.isMissing('usageList', error)) || (await permissions.isMissing('usage', error));
      const status = error instanceof KubernetesError ? error.status : undefined;
      if (!isDenied) outage.failed({ status, error });
      return error instanceof KubernetesError && error.code === 'timeout' ? last : {};
    }
  }

  async function poll(record: JobRecord, poller: Poller): Promise<void> {
    const { signal } = poller.end;
    const stopListening = repository.onProgressOf(record, () => {
      if (isTerminal(record) || record.deleted) poller.end.abort();
    });
    try {
      while (!signal.aborted) {
        const start = clock.monotonic();
        const { number, usage } = poller.last;
        poller.last = { number: number + 1, usage: await measure(record, usage, signal) };
        poller.listeners.notify();
        // The time of the request counts: frames come at the same pace while metrics are slow.
        await sleep(clock, Math.max(0, start + periodMs() - clock.monotonic()), signal);
      }
    } catch (error) {
      if (!signal.aborted)
        log.error('BUG: cannot measure the resource usage of a job; ending its streams', { job: record.id, error });
    } finally {
      stopListening();
      pollers.delete(record.uid);
      poller.end.abort();
      poller.listeners.notify();
    }
  }

  function pollerOf(record: JobRecord): Poller {
    const known = pollers.get(record.uid);
    if (known !== undefined && !known.end.signal.aborted) return known;
    if (record.outcome.state !== 'Running')
      throw new JobError(
        'job-not-running',
        `Job ${record.id} is ${record.outcome.state}; resource usage is available only while a job is running.`,
      );
    const poller: Poller = {
      listeners: new Listeners(),
      last: { number: 0, usage: {} },
      subscribers: 0,
      end: new AbortController(),
    };
    life.addEventListener('abort', () => poller.end.abort(), { once: true, signal: poller.end.signal });
    pollers.set(record.uid, poller);
    void poll(record, poller);
    return poller;
  }

  async function* follow(poller: Poller, signal: AbortSignal): AsyncGenerator<JobUsage> {
    poller.subscribers++;
    try {
      let { number } = poller.last;
      const look = () => (poller.last.number > number || poller.end.signal.aborted ? { ...poller.last } : undefined);
      while (!poller.end.signal.aborted) {
        const next = await waitFor((check) => poller.listeners.add(check), look, signal);
        if (next.number === number) return;
        number = next.number;
        yield next.usage;
      }
    } finally {
      poller.subscribers--;
      if (poller.subscribers === 0) poller.end.abort();
    }
  }

  return (id, requester, signal) => follow(pollerOf(repository.find(id, requester)), signal);
}

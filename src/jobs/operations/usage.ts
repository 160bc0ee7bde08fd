/**
 * What a running job uses, from metrics.k8s.io (kubernetes-facts.md 118). However many ask, a job is measured once: by one poller,
 * which ends with the last who asks or with the job. Needs get on pods.metrics.k8s.io.
 */
import { POD_METRICS, type PodMetrics } from '../../kubernetes/contract.ts';
import { isNotFound, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import type { Context } from '../context.ts';
import type { JobUsage, Requester } from '../contract.ts';
import { JobError } from '../job-error.ts';
import { quantity } from '../objects/quantity.ts';
import { isTerminal, type JobEntry } from '../view/record.ts';

/** Nobody waits longer for a measurement (launcher-plugin-api.md section 0). */
const LONGEST_PAUSE_MS = 15_000;
const SHORTEST_PAUSE_MS = 1_000;
const BYTES_PER_MB = 1_000_000;
/** Measurements are learned of this much after they were made at most: metrics-server makes one a minute, or misses some. */
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

/** Processor time that measurements account for. */
interface CpuTime {
  readonly seconds: number;
  /** Milliseconds since 1970, of the server that measured: the end of the last measurement. */
  readonly until: number;
  /** When that was learned, by our monotonic clock. */
  readonly learned: number;
}

/**
 * Processor time up to a measurement: its rate held since the one before, or for its own window where it is the first
 * (what the job used before anybody looked is not known). A measurement that was seen before changes nothing, and one
 * after the server's clock was set only begins anew: more time passed by it than by ours (`now`, monotonic), or far less.
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
  if (before !== undefined && (passed > now - before.learned + LATEST_MS || passed < -LATEST_MS)) {
    return { seconds: before.seconds, until, learned: now };
  }
  if (passed <= 0) return before;
  return { seconds: (before?.seconds ?? 0) + (usage.cpuPercent / 100) * (passed / 1000), until, learned: now };
}

/** `1m2.5s` as Go writes durations; 0 if it is none. */
function windowSeconds(text: string): number {
  const [, hours = 0, minutes = 0, seconds = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text) ?? [];
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

interface Poller {
  /** Who waits for the next measurement; undefined tells the end. */
  readonly waiting: Set<(usage: JobUsage | undefined) => void>;
  subscribers: number;
  readonly end: AbortController;
}

export function createUsage(context: Context): UsageOf {
  const { client, clock, repository, options, log, permissions, signal: life } = context;
  const pollers = new Map<string, Poller>();
  const cpuTimes = new WeakMap<JobEntry, CpuTime>();
  let toldAbsent = false;

  async function measure(entry: JobEntry, signal: AbortSignal): Promise<JobUsage> {
    const pod = entry.pod;
    if (pod?.present !== true || !permissions.allows('usage')) return {};
    try {
      const { object } = await client.get(POD_METRICS, pod.view.name, { signal, timeoutMs: LONGEST_PAUSE_MS });
      toldAbsent = false;
      const usage = usageOf(object, pod.view.container.name);
      const cpuTime = cpuTimeUntil(cpuTimes.get(entry), object, usage, clock.monotonic());
      if (cpuTime === undefined) return usage;
      cpuTimes.set(entry, cpuTime);
      return { ...usage, cpuTime: cpuTime.seconds };
    } catch (error) {
      signal.throwIfAborted();
      // Not found: the pod has no sample yet. Anything else: nobody serves metrics.
      if (!isNotFound(error) && !(await permissions.isMissing('usage', error)) && !toldAbsent) {
        toldAbsent = true;
        const status = error instanceof KubernetesError ? error.status : undefined;
        log.warning('The resource use of jobs is not known: is metrics-server installed?', { status, error });
      }
      return {};
    }
  }

  async function poll(entry: JobEntry, poller: Poller): Promise<void> {
    const { signal } = poller.end;
    const tell = (usage: JobUsage | undefined): void => {
      const waiting = [...poller.waiting];
      poller.waiting.clear();
      for (const resolve of waiting) resolve(usage);
    };
    const stopListening = repository.onUpdate((changed) => {
      if (changed === entry && (isTerminal(entry) || entry.gone)) poller.end.abort();
    });
    try {
      while (!signal.aborted) {
        tell(await measure(entry, signal));
        const seconds = options().resourcePollSeconds;
        await sleep(clock, Math.min(Math.max(seconds * 1000, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS), signal);
      }
    } catch (error) {
      if (!signal.aborted) log.error('BUG: a job can no longer be measured', { job: entry.id, error });
    } finally {
      stopListening();
      pollers.delete(entry.uid);
      tell(undefined);
    }
  }

  function pollerOf(entry: JobEntry): Poller {
    const known = pollers.get(entry.uid);
    if (known !== undefined && !known.end.signal.aborted) return known;
    if (entry.outcome.state !== 'Running')
      throw new JobError('job-not-running', `Job ${entry.id} is ${entry.outcome.state}: it uses nothing.`);
    const poller: Poller = { waiting: new Set(), subscribers: 0, end: new AbortController() };
    life.addEventListener('abort', () => poller.end.abort(), { once: true, signal: poller.end.signal });
    pollers.set(entry.uid, poller);
    void poll(entry, poller);
    return poller;
  }

  async function* follow(poller: Poller, signal: AbortSignal): AsyncGenerator<JobUsage> {
    poller.subscribers++;
    try {
      while (!poller.end.signal.aborted) {
        const usage = await nextOf(poller, signal);
        if (usage === undefined) return;
        yield usage;
      }
    } finally {
      poller.subscribers--;
      if (poller.subscribers === 0) poller.end.abort();
    }
  }

  return (id, requester, signal) => follow(pollerOf(repository.find(id, requester)), signal);
}

function nextOf({ waiting }: Poller, signal: AbortSignal): Promise<JobUsage | undefined> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const done = (usage: JobUsage | undefined): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(usage);
    };
    const onAbort = (): void => {
      waiting.delete(done);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    waiting.add(done);
  });
}

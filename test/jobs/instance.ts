/** Running plugins, from the client to the jobs, against a simulated cluster. */
import { isUtf8 } from 'node:buffer';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { JobsOptions } from '../../src/jobs/context.ts';
import type { Job, JobRequest } from '../../src/jobs/job.ts';
import { createJobs, type RunningJobs } from '../../src/jobs/jobs.ts';
import type { TemplateContext } from '../../src/jobs/objects/template-objects.ts';
import type { Policy } from '../../src/jobs/policy/policy.ts';
import { createClient } from '../../src/kubernetes/client.ts';
import type { Client, KubernetesObject, Resource } from '../../src/kubernetes/contract.ts';
import { JOBS, PODS } from '../../src/kubernetes/contract.ts';
import { type Clock, systemClock } from '../../src/system/clock.ts';
import type { Log, LogFields } from '../../src/system/log.ts';
import { systemRandom } from '../../src/system/random.ts';
import { type ClusterOptions, type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { request, resolved } from './requests.ts';

/** The longest step of a fast clock, in milliseconds of this machine. */
const MAX_STEP_MS = 5;

/**
 * A fake clock that runs this much faster than the machine's, in short steps, each in a turn of the event loop: however busy
 * the machine is, no wait is over before the cluster of this process had its turns.
 */
export function fastClock(factor: number): Clock {
  const clock = fakeClock(0);
  let last = performance.now();
  const step = (): void => {
    const now = performance.now();
    clock.advance(Math.round(Math.min(now - last, MAX_STEP_MS) * factor));
    last = now;
  };
  // Does not keep the process alive: the sockets of the cluster do.
  setInterval(step, 1).unref();
  return { ...clock, now: systemClock.now };
}

interface Line {
  readonly level: string;
  readonly sentence: string;
  readonly fields: LogFields;
}

export interface Instance {
  readonly jobs: RunningJobs;
  readonly client: Client;
  readonly log: readonly Line[];
  /** Announced states by job id, as `state/statusCode`. */
  readonly announced: ReadonlyMap<string, readonly string[]>;
  readonly submit: (members?: Partial<JobRequest>) => Promise<string>;
  readonly until: (id: string, holds: (job: Job) => boolean) => Promise<Job>;
  readonly output: (id: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

interface InstanceOptions {
  readonly options?: Partial<JobsOptions> | (() => Partial<JobsOptions>);
  readonly clock?: Clock;
  readonly processId?: string;
  readonly token?: string;
  /** Default: the one of the cluster's launcher. */
  readonly namespace?: string;
  /** false: returns before the first list, which may never come. */
  readonly waits?: false;
  /** Default: a job becomes what it asks for. */
  readonly resolve?: Policy['resolve'];
  /** The launcher templates; default: none. */
  readonly templates?: () => TemplateContext;
  /** Default: none. */
  readonly failPendingReasons?: Policy['failPendingReasons'];
  /** Puts something between the jobs and the cluster. */
  readonly wrap?: (client: Client) => Client;
}

const DEFAULTS: JobsOptions = {
  jobExpiryHours: 24,
  shareProcessNamespace: true,
  serviceType: 'NodePort',
  killMethod: 'auto',
  resourcePollSeconds: 1,
  pendingTimeoutSeconds: 0,
};

const POLICY: Policy = {
  resolve: async (asked) => resolved(asked),
  failPendingReasons: async () => [],
  clusterInfo: async () => ({
    allowUnknownImages: true,
    images: [],
    defaultImage: '',
    config: [],
    resourceLimits: [],
    placementConstraints: [],
    resourceProfiles: [],
  }),
};

/** How long a test waits for what must happen. */
const PATIENCE_MS = 60_000;
/** So much that it is enough on a fast clock, too. */
const SUBMIT_MS = 3_600_000;

async function startInstance(cluster: SimulatedCluster, given: InstanceOptions = {}): Promise<Instance> {
  const lines: Line[] = [];
  const line =
    (level: string) =>
    (sentence: string, fields: LogFields = {}): void => {
      lines.push({ level, sentence, fields });
    };
  const log: Log = {
    error: line('error'),
    warning: line('warning'),
    info: line('info'),
    debug: line('debug'),
    notice: line('notice'),
  };
  const clock = given.clock ?? systemClock;
  const plain = createClient(
    {
      apiUrl: cluster.url,
      credentials: { kind: 'token', token: given.token ?? cluster.currentToken() },
      tls: { verify: true, ca: cluster.ca },
      namespace: given.namespace ?? cluster.namespace,
      fetchLimit: 500,
      watchTimeoutSeconds: 300,
      requestTimeoutMs: 30_000,
    },
    { clock: systemClock, random: systemRandom, log },
  );
  const client = given.wrap?.(plain) ?? plain;
  const options = (): JobsOptions => ({
    ...DEFAULTS,
    ...(typeof given.options === 'function' ? given.options() : given.options),
  });
  const policy: Policy = {
    ...POLICY,
    resolve: given.resolve ?? POLICY.resolve,
    failPendingReasons: given.failPendingReasons ?? POLICY.failPendingReasons,
  };
  const processId = given.processId ?? `host/kubernetes/${Math.random()}`;
  const jobs = createJobs({
    client,
    policy,
    options,
    clock,
    random: systemRandom,
    log,
    processId,
    templates: given.templates,
  });
  const announced = new Map<string, string[]>();
  jobs.onChange(({ id, status, statusCode }) => {
    const before = announced.get(id) ?? [];
    const text = `${status}/${statusCode}`;
    if (before.at(-1) !== text) announced.set(id, [...before, text]);
  });
  const ending = new AbortController();
  const running = jobs.run(ending.signal);
  if (given.waits !== false) await jobs.synced(AbortSignal.timeout(PATIENCE_MS));

  const find = (id: string): Job | undefined => jobs.list('*').find((job) => job.id === id);
  return {
    jobs,
    client,
    log: lines,
    announced,
    submit: async (members = {}) => (await jobs.submit(request(members), 'alice', SUBMIT_MS)).id,
    until: (id, holds) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const job = find(id);
          if (job === undefined || !holds(job)) return;
          end();
          resolve(job);
        };
        const timer = setTimeout(() => {
          end();
          reject(new Error(`job ${id} is ${JSON.stringify(find(id))}, announced ${announced.get(id)?.join(' > ')}`));
        }, PATIENCE_MS);
        const stopListening = jobs.onChange(check);
        const end = (): void => {
          clearTimeout(timer);
          stopListening();
        };
        check();
      }),
    output: async (id) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of jobs.output(id, '*', AbortSignal.timeout(PATIENCE_MS))) {
        if (!isUtf8(piece)) throw new Error('a piece is cut within a character');
        pieces.push(piece);
      }
      return Buffer.concat(pieces).toString();
    },
    stop: async () => {
      ending.abort(new Error('the test ends'));
      await running;
      await client.close();
    },
  };
}

export const hasState =
  (...states: readonly string[]) =>
  (job: Job): boolean =>
    states.includes(job.status);

export const terminal = hasState('Finished', 'Failed', 'Killed', 'Canceled');

/** The id of a job that this instance has submitted, and sees running. */
export async function running(one: Instance, job: Parameters<Instance['submit']>[0]): Promise<string> {
  const id = await one.submit(job);
  await one.until(id, hasState('Running'));
  return id;
}

interface Plugins {
  readonly cluster: SimulatedCluster;
  readonly instance: (given?: InstanceOptions) => Promise<Instance>;
  readonly stop: (one: Instance) => Promise<void>;
}

/** A cluster, and plugins that are started one by one; all of it ends with the test. */
export async function startPlugins(t: Test, options: ClusterOptions = {}): Promise<Plugins> {
  const cluster = await startCluster({ speed: 20, ...options });
  const started = new Set<Instance>();
  t.teardown(async () => {
    for (const one of started) await one.stop();
    await cluster.stopApi('clean');
    await cluster.close();
  });
  return {
    cluster,
    instance: async (given) => {
      const one = await startInstance(cluster, given);
      started.add(one);
      return one;
    },
    stop: async (one) => {
      started.delete(one);
      await one.stop();
    },
  };
}

interface World extends Plugins {
  /** May do everything, and asks the cluster for what a test wants to know of it. */
  readonly admin: Instance;
  /** `job-launcher/NAME` of a job. */
  readonly annotation: (id: string, name: string) => Promise<string | undefined>;
  readonly exists: <T extends KubernetesObject>(resource: Resource<T>, name: string) => Promise<boolean>;
  readonly podOf: (id: string) => Promise<Pod | undefined>;
}

/** Plugins, and among them an administrator's. */
export async function startWorld(t: Test): Promise<World> {
  const plugins = await startPlugins(t);
  const admin = await plugins.instance({ token: plugins.cluster.adminToken });
  return {
    ...plugins,
    admin,
    annotation: async (id, name) =>
      (await admin.client.get(JOBS, id)).object.metadata?.annotations?.[`job-launcher/${name}`],
    exists: (resource, name) =>
      admin.client.get(resource, name).then(
        () => true,
        () => false,
      ),
    podOf: async (id) => (await admin.client.list(PODS, { labelSelector: `job-name=${id}` })).items[0],
  };
}

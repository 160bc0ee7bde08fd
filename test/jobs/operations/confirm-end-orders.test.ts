/**
 * A job that ends without its own doing (its Job is deleted, its pod is evicted, its node restarts) has one final state, in
 * whatever order and with whatever gaps an instance sees it.
 */
import { setImmediate } from 'node:timers/promises';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Event, Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { confirmEnd } from '../../../src/jobs/operations/confirm-end.ts';
import { projectJob, projectPod } from '../../../src/jobs/view/projection.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';
import type { Client, KubernetesObject, Projected, Reflector } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { isNewer, Store } from '../../../src/kubernetes/watch/store.ts';
import { Places } from '../../../src/system/async.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const AT = '2026-11-23T18:00:00Z';
const [JOB, POD] = ['job-a', 'job-a-x'];
const OWNER = { apiVersion: 'batch/v1', kind: 'Job', name: JOB, uid: 'j', controller: true };

/** What happens in the cluster, step by step. `gone` is the last version of a deleted object. */
type Step =
  | { readonly kind: 'job' | 'pod'; readonly object: object; readonly gone?: true }
  | { readonly kind: 'event'; readonly object: object };

const job = (status: object = {}, metadata: object = {}): Step => ({
  kind: 'job',
  object: { metadata: { name: JOB, uid: 'j', creationTimestamp: AT, ...metadata }, spec: {}, status },
});
const pod = (state: object | undefined, status: object = {}, metadata: object = {}): Step => ({
  kind: 'pod',
  object: {
    metadata: { name: POD, uid: 'p', creationTimestamp: AT, ownerReferences: [OWNER], ...metadata },
    spec: { containers: [{ name: 'rs-launcher-container', image: 'busybox' }] },
    status: {
      phase: 'Pending',
      containerStatuses: state === undefined ? [] : [{ name: 'rs-launcher-container', state }],
      ...status,
    },
  },
});
const gone = (step: Step): Step => (step.kind === 'event' ? step : { ...step, gone: true });
const event = (kind: string, name: string, uid: string, reason: string, message: string, fieldPath = ''): Step => ({
  kind: 'event',
  object: { metadata: { name: `${name}.${reason}` }, involvedObject: { kind, name, uid, fieldPath }, reason, message },
});

const CREATED = event('Job', JOB, 'j', 'SuccessfulCreate', `Created pod: ${POD}`);
const STARTED = event('Pod', POD, 'p', 'Started', 'Started', 'spec.containers{rs-launcher-container}');
const INIT_STARTED = event('Pod', POD, 'p', 'Started', 'Started', 'spec.initContainers{setup}');
const WAITING = pod({ waiting: { reason: 'ContainerCreating' } });
const LEAVING = { deletionTimestamp: AT, deletionGracePeriodSeconds: 0 };
const RUNS = { running: { startedAt: AT } };
const RUNNING = pod(RUNS, { phase: 'Running' });
const RUNNING_LEAVING = pod(RUNS, { phase: 'Running' }, LEAVING);
const TERM = { terminated: { exitCode: 143, reason: 'Error', startedAt: AT, finishedAt: AT } };
const ENDED_LEAVING = pod(TERM, { phase: 'Failed' }, LEAVING);
const BEGIN = [job(), job({ active: 1, ready: 0 }), pod(undefined), CREATED, WAITING];
const END = [RUNNING_LEAVING, ENDED_LEAVING, gone(ENDED_LEAVING)];
const DELETED = gone(job({ active: 1, ready: 0 }));
const READY = job({ active: 1, ready: 1 });
const FOREGROUND = job({ active: 1, ready: 0 }, { deletionTimestamp: AT, finalizers: ['foregroundDeletion'] });
const NEVER_RAN = [pod(undefined, {}, LEAVING), gone(pod(undefined, {}, LEAVING))];

const FAILED = job({
  conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', lastTransitionTime: AT }],
});
/** Of these, the kubelet or the API server has dropped what ran before. */
const UNKNOWN = { terminated: { exitCode: 255, reason: 'Unknown', finishedAt: AT } };
const LOST = pod(UNKNOWN, { phase: 'Failed' });
const EVICTED = pod(undefined, {
  phase: 'Failed',
  reason: 'Evicted',
  message: 'The node was low on resource: memory.',
});

interface History {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly end: string;
}

const KILLED = 'Killed/Deleted';
const CANCELED = 'Canceled/Deleted';
const HISTORIES: readonly History[] = [
  { name: 'deleted while it runs', steps: [...BEGIN, STARTED, RUNNING, DELETED, ...END], end: KILLED },
  {
    name: 'deleted when its Job is ready',
    steps: [...BEGIN, STARTED, RUNNING, READY, gone(READY), ...END],
    end: KILLED,
  },
  { name: 'deleted before its container starts', steps: [...BEGIN, DELETED, STARTED, RUNNING, ...END], end: KILLED },
  { name: 'deleted while its container starts', steps: [...BEGIN, STARTED, DELETED, RUNNING, ...END], end: KILLED },
  { name: 'deleted before its pod exists', steps: [job(), gone(job())], end: CANCELED },
  {
    name: 'deleted before its container starts, which never does',
    steps: [...BEGIN, DELETED, ...NEVER_RAN],
    end: CANCELED,
  },
  {
    name: 'deleted while an init container runs',
    steps: [...BEGIN, INIT_STARTED, DELETED, ...NEVER_RAN],
    end: CANCELED,
  },
  {
    name: 'deleted in the foreground while it runs',
    steps: [...BEGIN, STARTED, RUNNING, FOREGROUND, ...END, gone(FOREGROUND)],
    end: KILLED,
  },
  {
    name: 'deleted in the foreground before its container starts',
    steps: [...BEGIN, FOREGROUND, ...NEVER_RAN, gone(FOREGROUND)],
    end: CANCELED,
  },
  {
    name: 'its node restarts while it runs',
    steps: [...BEGIN, STARTED, RUNNING, LOST, FAILED],
    end: 'Killed/Unknown',
  },
  { name: 'its node restarts before it runs', steps: [...BEGIN, LOST, FAILED], end: 'Failed/Unknown' },
  { name: 'evicted while it runs', steps: [...BEGIN, STARTED, RUNNING, EVICTED, FAILED], end: 'Killed/Evicted' },
  { name: 'evicted before it runs', steps: [...BEGIN, EVICTED, FAILED], end: 'Failed/Evicted' },
];

/** What an instance sees of a history, and when: the number of steps that each watch is late, and an outage of both. */
interface Sight {
  readonly jobsLate: number;
  readonly podsLate: number;
  /** The steps during which there is no watch; afterwards both kinds are listed. */
  readonly outage?: readonly [from: number, to: number];
  /** What comes of lists of events. Default: they are allowed. */
  readonly events?: 'denied' | 'failing once';
}

const NOT_FOUND = { code: 'not-found', reason: 'NotFound', about: `jobs ${JOB}` } as const;
const versionOf = (step: number): string => String(step + 1);

/** An instance that sees a history; the states that it announced. */
async function announcedBy({ steps }: Pick<History, 'steps'>, sight: Sight) {
  const clock = fakeClock();
  const ending = new AbortController();
  const repository = new Repository();
  const announced: string[] = [];
  /** Field selectors of the lists of events. */
  const asked: string[] = [];
  repository.onChange(({ outcome: { state, statusCode } }) => announced.push(`${state}/${statusCode}`));
  const stores = { job: new Store(repository.applyJob), pod: new Store(repository.applyPod) };
  let now = -1;

  const objectAt = (step: number): KubernetesObject => {
    const object = steps[step]?.object as KubernetesObject;
    return { ...object, metadata: { ...object.metadata, resourceVersion: versionOf(step) } };
  };
  /** The newest version of the object of a kind, at a step. */
  function existing(kind: 'job' | 'pod', step: number): KubernetesObject | undefined {
    const last = steps.findLastIndex((each, index) => index <= step && each.kind === kind);
    const found = steps[last];
    return found === undefined || found.kind === 'event' || found.gone === true ? undefined : objectAt(last);
  }
  const view = (kind: 'job' | 'pod', object: KubernetesObject) =>
    kind === 'job' ? projectJob(object as Job) : projectPod(object as Pod);
  const changed = new Set<() => void>();
  const isAway = (): boolean => sight.outage !== undefined && now >= sight.outage[0] && now < sight.outage[1];
  const seen = { job: -1, pod: -1 };

  function deliver(kind: 'job' | 'pod', upTo: number): void {
    for (let step = seen[kind] + 1; step <= upTo; step++) {
      const one = steps[step];
      if (one?.kind !== kind) continue;
      const object = view(kind, objectAt(step)) as never;
      if (one.gone === true) stores[kind].deleted(object);
      else stores[kind].changed(object);
    }
    seen[kind] = Math.max(seen[kind], upTo);
    if (upTo >= 0) stores[kind].advance(versionOf(upTo));
    for (const check of [...changed]) check();
  }
  function relist(kind: 'job' | 'pod'): void {
    const object = existing(kind, now);
    const listed = object === undefined ? undefined : view(kind, object);
    stores[kind].replace(new Map(listed === undefined ? [] : [[listed.uid, listed as never]]), versionOf(now));
    seen[kind] = now;
    for (const check of [...changed]) check();
  }

  const reflector = (store: Store<never>) =>
    ({
      offer: (object: never, { isListed = false } = {}) => store.offer(object, isListed),
      reached: (version: string, signal: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          const check = (): void => {
            if (store.version !== undefined && !isNewer(version, store.version)) resolve();
          };
          changed.add(check);
          signal.addEventListener('abort', () => reject(signal.reason));
          check();
        }),
    }) as unknown as Reflector<Projected>;
  const fieldsOf = ({ involvedObject, reason = '' }: Event): Record<string, string | undefined> => ({
    reason,
    'involvedObject.uid': involvedObject.uid,
    'involvedObject.name': involvedObject.name,
    'involvedObject.kind': involvedObject.kind,
  });
  const client = {
    serverTime: () => Date.parse(AT),
    get: async () => {
      const object = existing('job', now);
      if (object === undefined)
        throw new KubernetesError({
          ...NOT_FOUND,
          status: 404,
          method: 'GET',
          path: `/jobs/${JOB}`,
          text: 'not found',
        });
      return { object };
    },
    list: async ({ plural }: { plural: string }, { fieldSelector = '' } = {}) => {
      const resourceVersion = versionOf(now);
      if (plural === 'pods') {
        const object = existing('pod', now);
        return { items: object === undefined ? [] : [object], resourceVersion };
      }
      asked.push(fieldSelector);
      if (sight.events === 'denied' || (sight.events === 'failing once' && asked.length === 1)) {
        const code = sight.events === 'denied' ? 'forbidden' : 'server-error';
        throw new KubernetesError({ code, method: 'GET', path: '/events', text: code });
      }
      const wanted = fieldSelector.split(',').map((each) => each.split('='));
      const items = steps
        .filter(({ kind }, index) => kind === 'event' && index <= now)
        .map(({ object }) => object as Event)
        .filter((each) => wanted.every(([field = '', value]) => fieldsOf(each)[field] === value));
      return { items, resourceVersion };
    },
  } as unknown as Client;
  const context = {
    client,
    repository,
    clock,
    jobs: reflector(stores.job as never),
    pods: reflector(stores.pod as never),
    permissions: { allows: () => true, isMissing: async () => sight.events === 'denied' },
    log: { debug: () => undefined },
    signal: ending.signal,
  } as unknown as Parameters<typeof confirmEnd>[0];

  const places = new Places(1);
  const confirming = new Set<unknown>();
  const confirm = (record: Parameters<typeof confirmEnd>[1]): void => {
    if (record.confirmation !== 'needed' || confirming.has(record)) return;
    confirming.add(record);
    void confirmEnd(context, record, places).then(
      (found) => {
        confirming.delete(record);
        repository.confirm(record, found);
        confirm(record);
      },
      () => {
        confirming.delete(record);
        confirm(record);
      },
    );
  };
  repository.onUpdate(confirm);
  const turns = async (): Promise<void> => {
    for (let count = 0; count < 4; count++) await setImmediate();
  };

  repository.open();
  for (now = 0; now < steps.length; now++) {
    if (!isAway()) {
      if (now === sight.outage?.[1]) for (const kind of ['job', 'pod'] as const) relist(kind);
      deliver('job', now - sight.jobsLate);
      deliver('pod', now - sight.podsLate);
    }
    await turns();
  }
  now = steps.length - 1;
  if (sight.outage !== undefined && sight.outage[1] >= steps.length)
    for (const kind of ['job', 'pod'] as const) relist(kind);
  for (const kind of ['job', 'pod'] as const) {
    deliver(kind, now);
    await turns();
  }
  for (let count = 0; count < 20; count++) {
    clock.advance(5_000);
    await turns();
  }
  ending.abort(new Error('the test ends'));
  return { announced, asked };
}

/** Every way to see a history of this length. */
function* sights(length: number): Iterable<Sight> {
  for (let jobsLate = 0; jobsLate < length; jobsLate++)
    for (let podsLate = 0; podsLate < length; podsLate++)
      if (jobsLate === 0 || podsLate === 0 || jobsLate === podsLate) yield { jobsLate, podsLate };
  for (let from = 0; from < length; from++)
    for (let to = from + 1; to <= length; to++) yield { jobsLate: 0, podsLate: 0, outage: [from, to] };
}

for (const history of HISTORIES) {
  t.test(`${history.name}: ${history.end}`, async (t) => {
    const others = new Map<string, Sight[]>();
    let count = 0;
    for (const sight of sights(history.steps.length)) {
      const { announced } = await announcedBy(history, sight);
      count++;
      // An instance that did not see the job before its deletion does not announce anything.
      if (announced.length === 0 || announced.at(-1) === history.end) continue;
      const text = announced.join(' > ');
      others.set(text, [...(others.get(text) ?? []), sight]);
    }
    for (const [text, found] of others) t.fail(`${found.length} of ${count}: ${text}`, { first: found[0] });
    t.pass(`${count} ways to see it`);
  });
}

const UNSEEN: Sight = { jobsLate: 0, podsLate: 0, outage: [5, 11] };
const STEPS = [...BEGIN, STARTED, RUNNING, DELETED, ...END];

t.test('an instance that was without a watch lists the events of the pod', async (t) => {
  t.strictSame(await announcedBy({ steps: STEPS }, UNSEEN), {
    announced: ['Pending/Pending', 'Killed/Deleted'],
    asked: [`involvedObject.kind=Pod,involvedObject.name=${POD},reason=Started`],
  });
});

t.test('given a pod that it never saw, it takes the name of the pod from an event of the Job', async (t) => {
  t.strictSame(await announcedBy({ steps: STEPS }, { ...UNSEEN, outage: [1, 11] }), {
    announced: ['Pending/Pending', 'Killed/Deleted'],
    asked: [
      'involvedObject.uid=j,reason=SuccessfulCreate',
      `involvedObject.kind=Pod,involvedObject.name=${POD},reason=Started`,
    ],
  });
});

t.test('no events are listed for a job that was seen running', async (t) => {
  t.strictSame(await announcedBy({ steps: STEPS }, { jobsLate: 0, podsLate: 0 }), {
    announced: ['Pending/Pending', 'Running/Running', 'Killed/Deleted'],
    asked: [],
  });
});

t.test('a list of events that fails is repeated before a state is announced', async (t) => {
  const { announced, asked } = await announcedBy({ steps: STEPS }, { ...UNSEEN, events: 'failing once' });
  t.strictSame([announced, asked.length], [['Pending/Pending', 'Killed/Deleted'], 2]);
});

t.test('given no permission to list events, a job that was not seen running is Canceled', async (t) => {
  const { announced } = await announcedBy({ steps: STEPS }, { ...UNSEEN, events: 'denied' });
  t.strictSame(announced, ['Pending/Pending', 'Canceled/Deleted']);
});

/**
 * The life of one pod on its node: from the binding to the last status, whatever happens in between.
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { PODS } from '../api/resources.ts';
import { isFinishedPod, isSidecar, isTerminated, type Pod, timestamp } from '../model.ts';
import { createTimers, type Timers } from '../timers.ts';
import type { RunningContainer } from './container.ts';
import type { PodHands } from './hands.ts';
import type { NodeContext } from './kubelet.ts';
import type { ContainerLog } from './log.ts';
import { createStarter } from './start.ts';
import { newRecord, terminated, unknownEnd } from './states.ts';
import { type ContainerRecord, type PodRecord, podStatus } from './status.ts';
import { stopAll } from './stop.ts';
import { missingVolume } from './volumes.ts';

/** Why a pod is ended by the kubelet. */
type Ending =
  | { readonly type: 'deadline' }
  | { readonly type: 'deleted'; readonly graceSeconds: number }
  | { readonly type: 'evicted'; readonly message: string };

export interface PodWorker {
  readonly uid: string;
  readonly pod: () => Pod;
  readonly record: PodRecord;
  readonly containers: ReadonlyMap<string, RunningContainer>;
  readonly logs: ReadonlyMap<string, ContainerLog>;
  /** A newer version of the pod, or undefined when the object is gone. */
  readonly update: (pod: Pod | undefined) => void;
  /** Writes the status again (after the kubelet was away). */
  readonly report: () => void;
  readonly end: (ending: Ending) => void;
  /** Kills what runs; resolves when all processes have ended. */
  readonly close: () => Promise<void>;
}

const DEADLINE_MESSAGE = 'Pod was active on the node longer than the specified deadline';
/** The kubelet gives even a pod without a grace period this long (kubernetes-facts.md 46). */
const MINIMUM_GRACE_S = 2;

/** Thrown by every wait of a pod that is to end. */
class Interrupted extends Error {}

export function startPod(context: NodeContext, first: Pod): PodWorker {
  const { store, events, pace } = context;
  const timers: Timers = createTimers(pace.clock);
  const startedAt = store.now();
  const source = { component: 'kubelet', host: context.nodeName };
  const containers = new Map<string, RunningContainer>();
  const logs = new Map<string, ContainerLog>();
  const record: PodRecord = {
    containers: first.spec.containers.map(newRecord('ContainerCreating', first)),
    initContainers: (first.spec.initContainers ?? []).map(newRecord('PodInitializing', first)),
    hostIP: context.hostIP,
    startTime: timestamp(startedAt),
    sandboxReady: false,
    podIP: undefined,
    addressShown: false,
    ending: false,
    tornDown: false,
    reason: undefined,
    message: undefined,
  };
  let pod = first;
  let ending: Ending | undefined;
  let interrupt: () => void = () => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  let cancelDeadline: () => void = () => {};
  /** Blocked by a volume: a deadline has no effect until this is over (kubernetes-facts.md 38). */
  let deafUntil = 0;
  /** The kubelet makes the pod: it sees a deadline only when it has done that (kubernetes-facts.md 39). */
  let isMaking = false;
  let late: Ending | undefined;
  let closed = false;

  function report(): void {
    if (!context.isAlive()) {
      context.reportLater(worker);
      return;
    }
    const stored = store.edit<Pod>(PODS, pod, (draft) => {
      draft.status = podStatus(record, draft, store.now());
    });
    if (stored !== undefined) pod = stored;
  }

  function note(container: Container | undefined, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (!context.isAlive()) return;
    const isInit = first.spec.initContainers?.includes(container ?? { name: '' }) ?? false;
    const path = isInit ? 'spec.initContainers' : 'spec.containers';
    const fieldPath = container === undefined ? {} : { fieldPath: `${path}{${container.name}}` };
    events.record(source, pod, { type, reason, message, ...fieldPath });
  }

  /** Waits, unless the pod is to end. */
  async function pause(ms: number): Promise<void> {
    await Promise.race([timers.sleep(ms), interrupted]);
    if (ending !== undefined) throw new Interrupted();
  }

  async function unlessInterrupted<T>(promise: Promise<T>): Promise<T> {
    const result = await Promise.race([promise, interrupted.then(() => undefined)]);
    if (ending !== undefined || result === undefined) throw new Interrupted();
    return result;
  }

  function setMaking(next: boolean): void {
    isMaking = next;
    if (isMaking || late === undefined) return;
    end(late);
    late = undefined;
  }

  const hands: PodHands = { context, pod: () => pod, containers, logs, report, note, pause, setMaking };
  const startOne = createStarter(hands);

  function end(next: Ending): void {
    if (ending !== undefined || record.tornDown) {
      // A deletion shortens what is already going on.
      if (next.type === 'deleted') ending = next;
      return;
    }
    const wait = next.type === 'deadline' ? deafUntil - store.now() : 0;
    if (wait > 0) {
      cancelDeadline = timers.after(wait, () => end(next));
      return;
    }
    if (next.type === 'deadline' && isMaking) {
      late = next;
      return;
    }
    ending = next;
    interrupt();
  }

  function watchDeadline(): void {
    cancelDeadline();
    const seconds = pod.spec.activeDeadlineSeconds;
    if (seconds === undefined || record.tornDown) return;
    // The start is known in whole seconds; where seconds are scaled down that would be far too rough.
    const start = pace.timeScale === 1 ? Date.parse(record.startTime) : startedAt;
    const left = start + pace.seconds(seconds) - store.now();
    cancelDeadline = timers.after(Math.max(left, 0), () => context.whenAlive(() => end({ type: 'deadline' })));
  }

  async function run(): Promise<void> {
    await pause(pace.delay('admit'));
    report();
    watchDeadline();
    await volumes();
    setMaking(true);
    await pause(pace.delay('sandbox'));
    record.sandboxReady = true;
    record.podIP = context.nextAddress();
    report();
    record.addressShown = true;
    for (const init of record.initContainers) {
      await startOne(init);
      if (!isSidecar(init.spec) && !(await initSucceeded(init))) return;
    }
    for (const main of record.containers) await startOne(main);
    await unlessInterrupted(Promise.all(record.containers.map(watchEnd)));
    await stopSidecars();
    await tearDown(pace.delay('teardown'));
  }

  /** The end of the pod, but for its phase, is reported once more where there are any (recorded in 35-native-sidecar). */
  async function stopSidecars(): Promise<void> {
    const sidecars = record.initContainers.filter(({ spec }) => isSidecar(spec));
    if (sidecars.length === 0) return;
    await stopAll(hands, timers, sidecars, MINIMUM_GRACE_S);
    record.sandboxReady = false;
    report();
  }

  async function volumes(): Promise<void> {
    deafUntil = store.now() + pace.delay('volumeWait');
    for (let wait = pace.delay('volumeRetry'); ; wait = Math.min(wait * 2, 240 * pace.delay('volumeRetry'))) {
      const problem = missingVolume(store, pod);
      if (problem === undefined) break;
      note(undefined, 'Warning', 'FailedMount', problem);
      await pause(wait);
    }
    deafUntil = 0;
  }

  async function initSucceeded(init: ContainerRecord): Promise<boolean> {
    await unlessInterrupted(watchEnd(init));
    if (init.state.terminated?.exitCode === 0) return true;
    await tearDown(pace.delay('teardown'));
    return false;
  }

  async function watchEnd(one: ContainerRecord): Promise<true> {
    const running = containers.get(one.spec.name);
    if (running === undefined) return true;
    const end = await running.ended;
    // The runtime finds out when it is back, and only that it is over.
    if (context.wasCut(running)) await context.alive();
    const finishedAt = timestamp(store.now());
    if (ending !== undefined) return true;
    one.state = { terminated: terminated(one, running, context.wasCut(running) ? 'unknown' : end, finishedAt) };
    await timers.sleep(pace.delay('reportEnd'));
    // Whoever was away reports every step when it is back (kubernetes-facts.md 124).
    await context.alive();
    if (ending === undefined) report();
    return true;
  }

  async function tearDown(ms: number): Promise<void> {
    await timers.sleep(ms);
    cancelDeadline();
    record.sandboxReady = false;
    record.tornDown = true;
    report();
  }

  async function endPod(why: Ending): Promise<void> {
    const all = [...record.initContainers, ...record.containers];
    const alive = all.filter(({ spec, state }) => containers.has(spec.name) && !isTerminated(state));
    const neverStarted = all.filter(({ spec }) => !containers.has(spec.name));
    // What has started, but was not reported yet.
    for (const one of alive) {
      const startedAt = containers.get(one.spec.name)?.startedAt;
      if (one.state.waiting !== undefined && startedAt !== undefined) {
        one.state = { running: { startedAt: timestamp(startedAt) } };
      }
    }
    const hadVolumes = record.sandboxReady;
    record.ending = why.type !== 'deleted';
    if (why.type === 'deadline') {
      record.reason = 'DeadlineExceeded';
      record.message = DEADLINE_MESSAGE;
      note(undefined, 'Normal', 'DeadlineExceeded', DEADLINE_MESSAGE);
    } else if (why.type === 'evicted') {
      record.reason = 'Evicted';
      record.message = why.message;
      note(undefined, 'Warning', 'Evicted', why.message);
    }
    if (alive.length > 0 || record.ending) report();
    for (const { spec } of alive) note(spec, 'Normal', 'Killing', `Stopping container ${spec.name}`);
    if (why.type === 'deadline') note(undefined, 'Normal', 'DeadlineExceeded', DEADLINE_MESSAGE);
    const grace =
      why.type === 'deleted'
        ? Math.max(why.graceSeconds, MINIMUM_GRACE_S)
        : (pod.spec.terminationGracePeriodSeconds ?? 30);
    await stopAll(hands, timers, alive, grace);
    // Nobody waits for a pod that is deleted without a grace period.
    const isLookedFor = why.type === 'deadline' || (why.type === 'deleted' && why.graceSeconds > 0);
    if (isLookedFor && !hadVolumes) for (const one of neverStarted) one.state = unknownEnd();
    await tearDown(pace.delay('stopTeardown'));
    if (why.type === 'deadline') note(undefined, 'Normal', 'DeadlineExceeded', DEADLINE_MESSAGE);
  }

  /** The last step of a deletion: the object may go now. */
  async function confirmDeletion(): Promise<void> {
    await timers.sleep(pace.delay('reportEnd'));
    await context.alive();
    const current = store.get(PODS, pod.metadata.namespace ?? '', pod.metadata.name);
    if (current?.metadata.uid === pod.metadata.uid) context.deletePod(current);
  }

  function update(next: Pod | undefined): void {
    if (next === undefined) {
      context.whenAlive(() => end({ type: 'deleted', graceSeconds: 0 }));
      return;
    }
    const before = pod;
    pod = next;
    if (next.metadata.deletionTimestamp !== undefined) {
      const graceSeconds = next.metadata.deletionGracePeriodSeconds ?? 0;
      context.whenAlive(() => end({ type: 'deleted', graceSeconds }));
    } else if (next.spec.activeDeadlineSeconds !== before.spec.activeDeadlineSeconds) watchDeadline();
  }

  async function live(): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      if (closed) return;
      await endPod(ending ?? { type: 'deleted', graceSeconds: 0 });
    }
    await interruptedByDeletion();
    await confirmDeletion();
    context.forget(worker);
  }

  async function interruptedByDeletion(): Promise<void> {
    while (pod.metadata.deletionTimestamp === undefined && !closed) {
      if (ending?.type === 'deleted') return;
      await timers.sleep(pace.delay('reportEnd'));
    }
  }

  const worker: PodWorker = {
    uid: first.metadata.uid,
    pod: () => pod,
    record,
    containers,
    logs,
    update,
    report,
    end,
    close: async () => {
      closed = true;
      timers.close();
      ending ??= { type: 'deleted', graceSeconds: 0 };
      interrupt();
      for (const running of containers.values()) running.signalAll('SIGKILL');
      await Promise.all([...containers.values()].map(({ ended }) => ended));
    },
  };
  if (!isFinishedPod(first)) void live();
  return worker;
}

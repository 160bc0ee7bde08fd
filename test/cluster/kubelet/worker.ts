/**
 * The life of one pod on its node: from the binding to the last status, whatever happens in between.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { PODS } from '../api/resources.ts';
import { isFinishedPod, isSidecar, isTerminated, type Pod, timestamp } from '../model.ts';
import type { Timers } from '../timers.ts';
import { createTimers } from '../timers.ts';
import { type RunningContainer, StartError, startContainer } from './container.ts';
import { makeDirectory } from './directories.ts';
import { ConfigError, commandOf, environmentOf, identityOf, userOf } from './environment.ts';
import { imageOutcome } from './images.ts';
import { readKill } from './kill.ts';
import type { NodeContext } from './kubelet.ts';
import { type ContainerLog, createLog } from './log.ts';
import { quantity } from './quantity.ts';
import { type ContainerRecord, type PodRecord, podStatus } from './status.ts';
import { missingVolume } from './volumes.ts';

/** Why a pod is ended by the kubelet. */
export type Ending =
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
const OCI =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ';
/** The kubelet gives even a pod without a grace period this long (FACTS 46). */
const MINIMUM_GRACE_S = 2;

/** Thrown by every wait of a pod that is to end. */
class Interrupted extends Error {}

export function startPod(context: NodeContext, first: Pod): PodWorker {
  const { store, events, pace, journal } = context;
  const timers: Timers = createTimers();
  const startedAt = Date.now();
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
  /** Blocked by a volume: a deadline has no effect until this is over (FACTS 38). */
  let deafUntil = 0;
  let closed = false;

  function report(): void {
    if (!context.isAlive()) {
      context.reportLater(worker);
      return;
    }
    const stored = store.edit<Pod>(PODS, pod, (draft) => {
      draft.status = podStatus(record, draft, Date.now());
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

  function end(next: Ending): void {
    if (ending !== undefined || record.tornDown) {
      // A deletion shortens what is already going on.
      if (next.type === 'deleted') ending = next;
      return;
    }
    const wait = next.type === 'deadline' ? deafUntil - Date.now() : 0;
    if (wait > 0) {
      cancelDeadline = timers.after(wait, () => end(next));
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
    const left = start + pace.seconds(seconds) - Date.now();
    cancelDeadline = timers.after(Math.max(left, 0), () => context.whenAlive(() => end({ type: 'deadline' })));
  }

  async function run(): Promise<void> {
    await pause(pace.delay('admit'));
    report();
    watchDeadline();
    await volumes();
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
    await stopAll(
      record.initContainers.filter(({ spec }) => isSidecar(spec)),
      MINIMUM_GRACE_S,
    );
    await tearDown(pace.delay('teardown'));
  }

  async function volumes(): Promise<void> {
    deafUntil = Date.now() + pace.delay('volumeWait');
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

  /** Until the container runs, or has failed to start for good. */
  async function startOne(one: ContainerRecord): Promise<void> {
    await image(one);
    const { spec } = one;
    for (;;) {
      try {
        const env = environmentOf(store, pod, spec);
        await pause(pace.delay('createContainer'));
        one.id = `containerd://${randomBytes(32).toString('hex')}`;
        note(spec, 'Normal', 'Created', 'Container created');
        await pause(pace.delay('startContainer'));
        launch(one, env);
        note(spec, 'Normal', 'Started', 'Container started');
        await pause(pace.delay('reportRunning'));
        if (one.state.waiting !== undefined) one.state = { running: { startedAt: timestamp(Date.now()) } };
        report();
        return;
      } catch (error) {
        if (error instanceof StartError) return await failedToStart(one, error.message);
        if (!(error instanceof ConfigError)) throw error;
        await wait(one, 'CreateContainerConfigError', error.message, `Error: ${error.message}`);
        note(spec, 'Normal', 'Pulled', presentText(spec));
      }
    }
  }

  function launch(one: ContainerRecord, env: Map<string, string>): void {
    const { spec } = one;
    const [program = '', ...args] = commandOf(spec, env);
    const command = [context.programs(spec.image ?? '', program), ...args];
    const reading = readKill(command);
    if (reading.type !== 'harmless') {
      throw new StartError(`exec: "${command[0]}": the simulated kubelet refuses commands that signal pid -1`);
    }
    const where = { pod: pod.metadata.name, podUid: pod.metadata.uid, container: spec.name };
    const log = createLog((data) => journal.wrote(where, data));
    logs.set(spec.name, log);
    const identity = identityOf(pod, spec);
    const limit = spec.resources?.limits?.['memory'];
    const running: RunningContainer = startContainer({
      command,
      env,
      workingDir: spec.workingDir,
      stdin: spec.stdin ?? false,
      directory: makeDirectory(join(context.directory, pod.metadata.uid, spec.name), identity),
      identity,
      user: userOf(pod, spec),
      memoryLimit: limit === undefined ? undefined : quantity(limit),
      isAlone: () => [...containers.values()].every((other) => other === running || other.hasEnded()),
      log,
      guard: context.guard,
      reaper: context.reaper,
    });
    containers.set(spec.name, running);
    const entry: { endedAt?: number; exitCode?: number } & Parameters<typeof journal.processStarted>[0] = {
      ...where,
      pid: running.pid,
      startedAt: running.startedAt,
    };
    journal.processStarted(entry);
    void running.ended.then(({ exitCode }) => {
      entry.endedAt = Date.now();
      entry.exitCode = exitCode;
    });
  }

  async function failedToStart(one: ContainerRecord, why: string): Promise<void> {
    logs.set(one.spec.name, finishedLog());
    note(one.spec, 'Warning', 'Failed', `Error: ${OCI}${why}`);
    one.state = {
      terminated: {
        exitCode: 128,
        reason: 'StartError',
        message: `${OCI}${why}`,
        startedAt: '1970-01-01T00:00:00Z',
        finishedAt: timestamp(Date.now()),
        ...containerId(one),
      },
    };
    await pause(pace.delay('reportStartError'));
    report();
  }

  /** Until the image is on the node; for ever if it cannot be. */
  async function image(one: ContainerRecord): Promise<void> {
    const { spec } = one;
    const name = spec.image ?? '';
    for (;;) {
      const outcome = context.images(name, spec.imagePullPolicy) ?? imageOutcome(name, spec.imagePullPolicy);
      switch (outcome.type) {
        case 'present':
          note(spec, 'Normal', 'Pulled', presentText(spec));
          return;
        case 'pulled':
          note(spec, 'Normal', 'Pulling', `Pulling image "${name}"`);
          await pause(pace.delay('pull'));
          note(
            spec,
            'Normal',
            'Pulled',
            `Successfully pulled image "${name}" in 800ms (800ms including waiting). Image size: 2212531 bytes.`,
          );
          return;
        case 'waiting': {
          const event = outcome.reason === 'InvalidImageName' ? 'InspectFailed' : outcome.reason;
          note(spec, 'Warning', event, outcome.message);
          await wait(one, outcome.reason, outcome.message, `Error: ${outcome.reason}`);
          break;
        }
        case 'unpullable':
          await pullFails(one, outcome.message);
      }
    }
  }

  async function pullFails(one: ContainerRecord, why: string): Promise<void> {
    const { spec } = one;
    note(spec, 'Normal', 'Pulling', `Pulling image "${spec.image}"`);
    await pause(pace.delay('pullFailure'));
    note(spec, 'Warning', 'Failed', `Failed to pull image "${spec.image}": ${why}`);
    note(spec, 'Warning', 'Failed', 'Error: ErrImagePull');
    await pause(pace.delay('firstRetry'));
    one.state = { waiting: { reason: 'ErrImagePull', message: why } };
    report();
    const backOff = `Back-off pulling image "${spec.image}"`;
    note(spec, 'Normal', 'BackOff', backOff);
    note(spec, 'Warning', 'Failed', 'Error: ImagePullBackOff');
    await pause(pace.delay('retry'));
    one.state = { waiting: { reason: 'ImagePullBackOff', message: `${backOff}: ErrImagePull: ${why}` } };
    report();
  }

  /** Shows why a container cannot start, and waits for the next try. */
  async function wait(one: ContainerRecord, reason: string, message: string, event: string): Promise<void> {
    note(one.spec, 'Warning', 'Failed', event);
    const before = one.state.waiting?.reason;
    if (before !== reason) await pause(pace.delay('firstRetry'));
    one.state = { waiting: { reason, message } };
    report();
    await pause(pace.delay('retry'));
  }

  async function watchEnd(one: ContainerRecord): Promise<true> {
    const running = containers.get(one.spec.name);
    if (running === undefined) return true;
    const { exitCode, outOfMemory } = await running.ended;
    const finishedAt = timestamp(Date.now());
    if (ending !== undefined) return true;
    one.state = { terminated: terminated(one, running, exitCode, outOfMemory, finishedAt) };
    await timers.sleep(pace.delay('reportEnd'));
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

  /** TERM, then KILL after the grace period. */
  async function stopAll(records: readonly ContainerRecord[], graceSeconds: number): Promise<void> {
    await Promise.all(
      records.map(async (one) => {
        const running = containers.get(one.spec.name);
        if (running === undefined || isTerminated(one.state)) return;
        if (!running.hasEnded() && (pod.spec.shareProcessNamespace || context.handlesTerm(running.pid))) {
          running.signalMain('SIGTERM');
        }
        const kill = timers.after(pace.seconds(graceSeconds), () => running.signalAll('SIGKILL'));
        const { exitCode, outOfMemory } = await running.ended;
        kill();
        one.state = { terminated: terminated(one, running, exitCode, outOfMemory, timestamp(Date.now())) };
      }),
    );
  }

  async function endPod(why: Ending): Promise<void> {
    const all = [...record.initContainers, ...record.containers];
    const alive = all.filter(({ spec, state }) => containers.has(spec.name) && !isTerminated(state));
    const neverStarted = all.filter(({ spec }) => !containers.has(spec.name));
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
    if (alive.length > 0) {
      report();
      for (const { spec } of alive) note(spec, 'Normal', 'Killing', `Stopping container ${spec.name}`);
    }
    if (why.type === 'deadline') note(undefined, 'Normal', 'DeadlineExceeded', DEADLINE_MESSAGE);
    const grace =
      why.type === 'deleted'
        ? Math.max(why.graceSeconds, MINIMUM_GRACE_S)
        : (pod.spec.terminationGracePeriodSeconds ?? 30);
    await stopAll(alive, grace);
    if (why.type === 'deadline' && !hadVolumes) for (const one of neverStarted) one.state = unknownEnd();
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

function newRecord(reason: string, pod: Pod): (spec: Container) => ContainerRecord {
  const waits = (pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : reason;
  return (spec) => ({ spec, state: { waiting: { reason: waits } }, id: undefined });
}

function presentText({ image }: Container): string {
  return `Container image "${image}" already present on machine and can be accessed by the pod`;
}

function containerId({ id }: ContainerRecord): { containerID?: string } {
  return id === undefined ? {} : { containerID: id };
}

function terminated(
  one: ContainerRecord,
  running: RunningContainer,
  exitCode: number,
  outOfMemory: boolean,
  finishedAt: string,
) {
  return {
    exitCode,
    reason: outOfMemory ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error',
    startedAt: timestamp(running.startedAt),
    finishedAt,
    ...containerId(one),
  };
}

/** A container that never was, of a pod that was stopped while it waited for a volume (FACTS 38). */
function unknownEnd(): ContainerRecord['state'] {
  const terminated = {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    startedAt: null,
    finishedAt: null,
  };
  // The API sends null where the type knows only absent.
  return { terminated } as unknown as ContainerRecord['state'];
}

function finishedLog(): ContainerLog {
  const log = createLog(() => {});
  log.finish();
  return log;
}

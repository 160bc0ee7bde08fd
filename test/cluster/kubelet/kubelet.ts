/**
 * The agent of one node: takes the pods that are bound to it and runs them. It can be away (killed, restarted) while
 * the containers run on; then nothing is reported, and logs and exec do not answer (kubernetes-facts.md 94, 122 to 124).
 */
import { readFileSync } from 'node:fs';
import { deleteObject } from '../api/deletion.ts';
import { PODS } from '../api/resources.ts';
import type { Change, Store } from '../api/store.ts';
import type { EventRecorder } from '../controllers/events.ts';
import type { JournalWriter } from '../journal.ts';
import { isFinishedPod, type Pod } from '../model.ts';
import type { Pace } from '../pace.ts';
import type { RunningContainer } from './container.ts';
import type { Guard } from './guard.ts';
import type { ImageOutcome } from './images.ts';
import type { Programs } from './programs.ts';
import type { Reaper } from './reaper.ts';
import { type PodWorker, startPod } from './worker.ts';

/** A test's own rule for an image; undefined leaves it to the name. */
export type ImageRule = (image: string, policy: string | undefined) => ImageOutcome | undefined;

interface KubeletOptions {
  readonly store: Store;
  readonly events: EventRecorder;
  readonly pace: Pace;
  readonly journal: JournalWriter;
  readonly guard: Guard;
  readonly reaper: Reaper;
  readonly nodeName: string;
  readonly hostIP: string;
  /** Addresses of its pods: `10.244.<this>.x`. */
  readonly subnet: number;
  readonly directory: string;
  readonly images: ImageRule;
  readonly programs: Programs;
}

/** What a pod's worker needs of its node. */
export interface NodeContext extends KubeletOptions {
  readonly isAlive: () => boolean;
  readonly alive: () => Promise<void>;
  readonly whenAlive: (run: () => void) => void;
  /** Whether a container went down with its machine. */
  readonly wasCut: (running: RunningContainer) => boolean;
  readonly reportLater: (worker: PodWorker) => void;
  readonly nextAddress: () => string;
  /** What its clock says, with a fraction: container logs have its time. */
  readonly preciseMs: () => number;
  readonly deletePod: (pod: Pod) => void;
  readonly forget: (worker: PodWorker) => void;
  /** Whether a process has a handler for TERM: as PID 1 it is not ended by it otherwise. */
  readonly handlesTerm: (pid: number) => boolean;
}

export interface Kubelet {
  readonly nodeName: string;
  readonly hostIP: string;
  readonly isAlive: () => boolean;
  /** It is back, but does not know its pods yet (kubernetes-facts.md 94). */
  readonly isStarting: () => boolean;
  readonly worker: (uid: string) => PodWorker | undefined;
  readonly workers: () => Iterable<PodWorker>;
  /** The agent is gone; containers run on. */
  readonly kill: () => void;
  /** The machine restarts: what ran on it is gone, and nobody saw how. */
  readonly cut: () => void;
  /** Sets its clock, as a time service does: so far ahead of this machine's. */
  readonly setClock: (aheadMs: number) => void;
  /** Calls `listener` when it is killed, until the returned function is called. */
  readonly onDown: (listener: () => void) => () => void;
  /** It is back: reports what happened meanwhile. */
  readonly start: () => void;
  /** The node is gone: its processes are killed, nobody reports it. */
  readonly destroy: () => Promise<void>;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const { store } = options;
  const workers = new Map<string, PodWorker>();
  const unreported = new Set<PodWorker>();
  const downListeners = new Set<() => void>();
  const cutOff = new WeakSet<RunningContainer>();
  let waiting: (() => void)[] = [];
  let alive = true;
  let addresses = 1;
  let aheadMs = 0;
  let knowsPodsAt = 0;

  const context: NodeContext = {
    ...options,
    isAlive: () => alive,
    alive: () => (alive ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    whenAlive: (run) => {
      if (alive) run();
      else waiting.push(run);
    },
    wasCut: (running) => cutOff.has(running),
    preciseMs: () => options.pace.clock.precise() + aheadMs,
    reportLater: (worker) => unreported.add(worker),
    nextAddress: () => {
      addresses += 1;
      return `10.244.${options.subnet}.${addresses % 250}`;
    },
    deletePod: (pod) => {
      deleteObject(store, PODS, pod, { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } });
    },
    forget: (worker) => workers.delete(worker.uid),
    handlesTerm: (pid) => {
      const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
      return (BigInt(`0x${caught}`) & (1n << 14n)) !== 0n;
    },
  };

  function sync(change: Change): void {
    const pod = change.object as Pod;
    const worker = workers.get(pod.metadata.uid);
    if (worker !== undefined) {
      if (change.type === 'DELETED') worker.update(undefined);
      else worker.update(pod);
    } else if (change.type !== 'DELETED' && pod.spec.nodeName === options.nodeName) adopt(pod);
  }

  function adopt(pod: Pod): void {
    context.whenAlive(() => {
      const current = store.get(PODS, pod.metadata.namespace ?? '', pod.metadata.name);
      if (current?.metadata.uid !== pod.metadata.uid || isFinishedPod(current) || workers.has(current.metadata.uid))
        return;
      workers.set(current.metadata.uid, startPod(context, current));
    });
  }

  const unlisten = store.listen(PODS, sync);

  function kill(): void {
    alive = false;
    for (const listener of [...downListeners]) listener();
  }

  return {
    nodeName: options.nodeName,
    setClock: (ahead) => {
      aheadMs = ahead;
    },
    hostIP: options.hostIP,
    isAlive: () => alive,
    isStarting: () => store.now() < knowsPodsAt,
    worker: (uid) => workers.get(uid),
    workers: () => workers.values(),
    kill,
    cut: () => {
      kill();
      for (const running of [...workers.values()].flatMap(({ containers }) => [...containers.values()])) {
        if (running.hasEnded()) continue;
        cutOff.add(running);
        running.signalAll('SIGKILL');
      }
    },
    onDown: (listener) => {
      downListeners.add(listener);
      return () => downListeners.delete(listener);
    },
    start: () => {
      alive = true;
      knowsPodsAt = store.now() + options.pace.delay('kubeletStart');
      const reports = [...unreported];
      unreported.clear();
      for (const worker of reports) worker.report();
      const runs = waiting;
      waiting = [];
      for (const run of runs) run();
    },
    destroy: async () => {
      kill();
      unlisten();
      await Promise.all([...workers.values()].map((worker) => worker.close()));
    },
  };
}

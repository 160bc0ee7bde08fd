/**
 * How long the parts of the cluster take, in milliseconds. The values are those of the recorded cluster (kubernetes-facts.md 3 to 7,
 * 23, 24); `speed` divides them. What a user wrote in seconds (grace periods, deadlines) is divided by `timeScale`,
 * which tests of long waits raise; it stays 1 otherwise, so that stop and kill behave as users know them.
 */
import type { ClusterClock } from './timers.ts';

export interface Pace {
  readonly clock: ClusterClock;
  readonly speed: number;
  readonly timeScale: number;
  /** A delay of the cluster itself. */
  readonly delay: (name: keyof typeof DELAYS) => number;
  /** Milliseconds for a number of seconds that is written in an object. */
  readonly seconds: (seconds: number) => number;
}

const DELAYS = {
  /** Job controller: from a new or changed Job to its sync. */
  jobSync: 4,
  /** Job controller: changes of pods are collected for one second. */
  jobBatch: 1000,
  schedule: 8,
  /** Kubelet: from the binding to the first status. */
  admit: 10,
  /** Kubelet: network and sandbox. */
  sandbox: 450,
  /** Kubelet: between creating a container and starting it. */
  createContainer: 20,
  startContainer: 60,
  /** Pull of an image that is not on the node yet. */
  pull: 800,
  /** First answer of a registry that cannot be reached. */
  pullFailure: 2800,
  /** Kubelet: its status manager after a container started, ended or failed to start. */
  reportRunning: 12,
  reportEnd: 100,
  reportStartError: 850,
  /** Kubelet: sandbox teardown, from `terminated` to the final phase (kubernetes-facts.md 7). */
  teardown: 1100,
  /** The same where the kubelet itself ends the pod (stop, deletion). */
  stopTeardown: 180,
  /** Kubelet: its sync of a pod that cannot start; first and further ones. */
  firstRetry: 500,
  retry: 12500,
  /** API server: how long it waits for a version that does not exist yet (kubernetes-facts.md 101). */
  futureVersion: 3000,
  /** API server: end of a followed log after the container's end (kubernetes-facts.md 87). */
  followEnd: 1000,
  attachEnd: 1000,
  /** Garbage collector. */
  garbage: 8,
  volumeRetry: 500,
  /** A pod blocked by a missing volume is stopped after this (kubernetes-facts.md 38). */
  volumeWait: 121_000,
  nodeMonitorGrace: 50_000,
  /** Node controller: from a node's return until the last taint of its absence is gone. */
  taintRemoval: 4900,
  /** Kubelet: from its start until it knows its pods again (kubernetes-facts.md 94). */
  kubeletStart: 1000,
  serviceGarbage: 25,
  quotaRetry: 1000,
} as const;

export function createPace(speed: number, timeScale: number, clock: ClusterClock): Pace {
  return {
    clock,
    speed,
    timeScale,
    delay: (name) => DELAYS[name] / speed,
    seconds: (seconds) => (seconds * 1000) / timeScale,
  };
}

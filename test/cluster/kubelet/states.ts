/**
 * The states of a container: waiting at first, how it ended, and that of one that never was.
 */
import type { Container, ContainerState } from 'kubernetes-types/core/v1.d.ts';
import { type Pod, timestamp } from '../model.ts';
import type { ContainerEnd, RunningContainer } from './container.ts';
import type { ContainerRecord } from './status.ts';

/** Nothing has been tried yet. */
export function newRecord(reason: string, pod: Pod): (spec: Container) => ContainerRecord {
  const waits = (pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : reason;
  return (spec) => ({ spec, state: { waiting: { reason: waits } }, id: undefined });
}

export function containerId({ id }: ContainerRecord): { containerID?: string } {
  return id === undefined ? {} : { containerID: id };
}

/** @param end `unknown`: the container runtime was away at the time */
export function terminated(
  one: ContainerRecord,
  running: RunningContainer,
  end: ContainerEnd | 'unknown',
  finishedAt: string,
): NonNullable<ContainerState['terminated']> {
  const known = end === 'unknown' ? { exitCode: 255, reason: 'Unknown' } : knownEnd(end);
  return { ...known, startedAt: timestamp(running.startedAt), finishedAt, ...containerId(one) };
}

function knownEnd({ exitCode, outOfMemory }: ContainerEnd): { exitCode: number; reason: string } {
  return { exitCode, reason: outOfMemory ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error' };
}

/** A container that never was, of a pod that was stopped while it waited for a volume (kubernetes-facts.md 38). */
export function unknownEnd(): ContainerRecord['state'] {
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

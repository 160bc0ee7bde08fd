/**
 * What the steps of a pod's start share: the pod, telling about it, and waiting.
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from '../model.ts';
import type { RunningContainer } from './container.ts';
import type { NodeContext } from './kubelet.ts';
import type { ContainerLog } from './log.ts';

export interface PodHands {
  readonly context: NodeContext;
  /** Its newest version. */
  readonly pod: () => Pod;
  readonly containers: Map<string, RunningContainer>;
  readonly logs: Map<string, ContainerLog>;
  /** Writes the status. */
  readonly report: () => void;
  /** Writes an event, about a container of the pod or the pod itself. */
  readonly note: (
    container: Container | undefined,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ) => void;
  /** Waits, unless the pod is to end: then it throws, and the step is over. */
  readonly pause: (ms: number) => Promise<void>;
  /** From its sandbox to the start of a container, or to why it cannot start. */
  readonly setMaking: (isMaking: boolean) => void;
}

/**
 * A container that somebody injected and that never ends keeps the pod, and with it the Job, alive after our container
 * has ended (kubernetes-objects.md section 2; kubernetes-facts.md 132). Needs patch on pods.
 */
import { PODS } from '../../kubernetes/contract.ts';
import type { Context } from '../context.ts';
import { projectPod } from '../view/projection.ts';
import type { Chore } from './reconciler.ts';

const AFTER_MS = 60_000;

/** Ends such pods, once the job's own end is written down; what was announced stays. */
export function endSidecars({ client, pods }: Pick<Context, 'client' | 'pods'>): Chore {
  return {
    name: 'Ending the containers that hold the pod of a job that has ended',
    afterMs: AFTER_MS,
    isDue: ({ job, pod }) =>
      job.result !== undefined &&
      pod?.present === true &&
      pod.view.container.terminated !== undefined &&
      pod.view.phase === 'Running' &&
      pod.view.deletion === undefined &&
      pod.view.deadline !== 1,
    act: async ({ pod }) => {
      if (pod === undefined) return;
      const { object } = await client.patch(PODS, pod.view.name, {
        metadata: { uid: pod.view.uid },
        spec: { activeDeadlineSeconds: 1 },
      });
      pods.offer(projectPod(object));
    },
  };
}

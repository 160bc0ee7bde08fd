/**
 * The end of containers that the kubelet stops: TERM, then KILL after the grace period.
 */
import { isTerminated, timestamp } from '../model.ts';
import type { Timers } from '../timers.ts';
import type { PodHands } from './hands.ts';
import { terminated } from './states.ts';
import type { ContainerRecord } from './status.ts';

/** Resolves when all of them have ended; their states tell how. */
export async function stopAll(
  { context, pod, containers }: Pick<PodHands, 'context' | 'pod' | 'containers'>,
  timers: Timers,
  records: readonly ContainerRecord[],
  graceSeconds: number,
): Promise<void> {
  await Promise.all(
    records.map(async (one) => {
      const running = containers.get(one.spec.name);
      if (running === undefined || isTerminated(one.state)) return;
      if (!running.hasEnded() && (pod().spec.shareProcessNamespace || context.handlesTerm(running.pid))) {
        running.signalMain('SIGTERM');
      }
      const kill = timers.after(context.pace.seconds(graceSeconds), () => running.signalAll('SIGKILL'));
      const end = await running.ended;
      kill();
      one.state = { terminated: terminated(one, running, end, timestamp(context.store.now())) };
    }),
  );
}

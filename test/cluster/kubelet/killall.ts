/**
 * `kill -SIGNAL -1` in a container, carried out on the recorded processes alone (kubernetes-facts.md 42, 134).
 */
import type { PodWorker } from './worker.ts';

/**
 * Signals what a process of this container could signal: with a shared process namespace those of the pod that run as
 * the same user, or all of them for root; the pause process is spared. Without one the caller is alone with PID 1, which
 * nobody may signal so: false.
 */
export function killAll(worker: PodWorker, container: string, signal: NodeJS.Signals | 0): boolean {
  const own = worker.containers.get(container);
  if (own === undefined || own.hasEnded()) return false;
  const { shareProcessNamespace = false } = worker.pod().spec;
  if (!shareProcessNamespace) return false;
  const spec = worker.pod().spec.containers.find(({ name }) => name === container);
  const mayKill = !(spec?.securityContext?.capabilities?.drop ?? []).some((name) => name === 'ALL' || name === 'KILL');
  for (const other of worker.containers.values()) {
    if (other.hasEnded()) continue;
    if (other === own || (own.user === 0 && mayKill) || own.user === other.user) other.signalAll(signal);
  }
  return true;
}

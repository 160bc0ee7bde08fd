/** Errors of the cluster as refusals that a launcher's user can read. */
import { isForbidden, isInvalid, KubernetesError } from '../kubernetes/kubernetes-error.ts';
import { type Clock, sleep } from '../system/clock.ts';
import { JobError, type JobErrorCode } from './contract.ts';

/**
 * `what` says what did not work: "The job could not be created". `forLog`: what the log may have of the cluster's words,
 * which may quote what was sent.
 */
export function jobErrorOf(error: unknown, what: string, forLog = (text: string): string => text): JobError {
  if (error instanceof JobError) return error;
  if (!(error instanceof KubernetesError)) return new JobError('unknown', `${what}: ${words(error)}`, { cause: error });
  const { text, message } = error;
  const code: JobErrorCode = isInvalid(error) ? 'invalid-request' : 'unknown';
  // What the server itself says is for users; what connections say needs our words around it.
  const said = isInvalid(error) || isForbidden(error) ? text : message;
  return new JobError(code, `${what}: ${said}`, { cause: error, logged: `${what}: ${forLog(said)}` });
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Calls `attempt` until it neither throws nor says 'again', with growing pauses. Rejects only when the signal ends;
 * `onFailure` hears of each error.
 */
export async function persist<T>(
  clock: Clock,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
  attempt: () => Promise<T | 'again'>,
): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      const result = await attempt();
      if (result !== 'again') return result;
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error);
    }
    await sleep(clock, pause, signal);
  }
}

import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { KubernetesError, type KubernetesErrorCode } from './errors.ts';

/** Whether the API server answers, as all that follow it see it together: an outage is told once, and so is its end. */
export interface Contact {
  /** Somebody got no answer again and again. */
  readonly lost: (who: string, error: Error) => void;
  /** Somebody got an answer. */
  readonly regained: (who: string) => void;
  /** Somebody does not ask any more. */
  readonly left: (who: string) => void;
}

/** Answers of a server that works. */
const ANSWERS: ReadonlySet<KubernetesErrorCode> = new Set(['forbidden', 'expired']);

export function createContact(clock: Clock, log: Log): Contact {
  const without = new Set<string>();
  let since = 0;
  return {
    lost: (who, error) => {
      if (error instanceof KubernetesError && ANSWERS.has(error.code)) return;
      if (without.size === 0) {
        since = clock.monotonic();
        log.notice('No contact with the API server; trying again', { error }, 'WARNING');
      }
      without.add(who);
    },
    regained: (who) => {
      if (!without.delete(who) || without.size > 0) return;
      log.notice('Contact with the API server again', { seconds: Math.round((clock.monotonic() - since) / 1000) });
    },
    left: (who) => {
      without.delete(who);
    },
  };
}

/** Says once that the API server is gone, and once that it is back. */
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { KubernetesError, type KubernetesErrorCode } from '../kubernetes-error.ts';

/** Whether the API server serves us, as all that follow it see it together: trouble is told once, and so is its end. */
export interface Contact {
  /** Somebody failed, so many times in a row. True: it is everybody's trouble, and nobody needs to tell it himself. */
  readonly lost: (who: string, error: Error, times: number) => boolean;
  /** Somebody got what was asked for. */
  readonly regained: (who: string) => void;
  /** Somebody does not ask any more. */
  readonly left: (who: string) => void;
}

interface Trouble {
  readonly sentence: string;
  /** Failures in a row from which on it is told: a single connection breaks now and then. */
  readonly from: number;
}

const NO_ANSWER: Trouble = { sentence: 'No contact with the API server; trying again', from: 2 };

/** What concerns all who ask; everything else is an answer of a server that works. */
const TROUBLES: Readonly<Partial<Record<KubernetesErrorCode, Trouble>>> = {
  timeout: NO_ANSWER,
  unreachable: NO_ANSWER,
  interrupted: NO_ANSWER,
  tls: {
    sentence:
      'The certificate of the API server is refused, or TLS fails: is option certificate-authority right? rstudio-kubernetes-launcher check tells more; trying again',
    from: 1,
  },
  unauthorized: {
    sentence: 'The API server refuses the token (401): rstudio-kubernetes-launcher check tells more; trying again',
    from: 1,
  },
  'server-error': { sentence: 'The API server answers with errors; trying again', from: 2 },
};

export function createContact(clock: Clock, log: Log): Contact {
  const without = new Set<string>();
  /** Of this trouble, until it is over. */
  const told = new Set<string>();
  let since = 0;
  return {
    lost: (who, error, times) => {
      const trouble = error instanceof KubernetesError ? TROUBLES[error.code] : undefined;
      if (trouble === undefined) return false;
      if (times < trouble.from) return true;
      if (without.size === 0) {
        since = clock.monotonic();
        told.clear();
      }
      without.add(who);
      if (!told.has(trouble.sentence)) log.notice(trouble.sentence, { error }, 'WARNING');
      told.add(trouble.sentence);
      return true;
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

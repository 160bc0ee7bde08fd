/** What the events of a pod, or of a Job without one, tell of why it waits: the newest warning, and the newest pull. */
import type { EventView } from './projection.ts';
import { isTelling } from './reasons.ts';

export interface Hints {
  readonly warning?: EventView;
  readonly pulling?: EventView;
}

export function withHint(hints: Hints, event: EventView): Hints {
  if (event.warning) {
    const counts = event.at >= (hints.warning?.at ?? 0) && isTelling(event);
    return counts ? { ...hints, warning: event } : hints;
  }
  return event.reason === 'Pulling' && event.at >= (hints.pulling?.at ?? 0) ? { ...hints, pulling: event } : hints;
}

/** Events live for an hour; so do we remember them. */
export function withoutHint(hints: Hints, event: EventView): Hints {
  const { warning, pulling, ...rest } = hints;
  if (warning?.uid === event.uid) return pulling === undefined ? rest : { ...rest, pulling };
  if (pulling?.uid === event.uid) return warning === undefined ? rest : { ...rest, warning };
  return hints;
}

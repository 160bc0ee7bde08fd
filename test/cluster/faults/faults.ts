/**
 * The switchboard of faults: rules in, faults out, the same ones for the same seed and the same order of requests.
 */
import type { Intercept } from '../api/server.ts';
import type { WatchOptions } from '../api/watch.ts';
import type { ClusterClock } from '../timers.ts';
import type { Fault, FaultRule } from './rules.ts';
import { strike } from './strike.ts';

export interface ActiveFault {
  /** How often it has struck. */
  readonly hits: () => number;
  readonly remove: () => void;
}

export interface Faults {
  readonly add: (rule: FaultRule) => ActiveFault;
  readonly clear: () => void;
}

interface FaultSwitchboard extends Faults {
  readonly intercept: Intercept;
  readonly watchOptions: (path: string) => WatchOptions;
}

interface Active {
  readonly rule: FaultRule;
  left: number;
  hits: number;
}

export function createFaults(seed: number, clock: ClusterClock): FaultSwitchboard {
  let active: readonly Active[] = [];
  const random = seededRandom(seed);

  function find(method: string, path: string, types: (fault: Fault) => boolean): Fault | undefined {
    for (const one of active) {
      const { rule } = one;
      if (!types(rule.fault) || one.left <= 0) continue;
      if (rule.method !== undefined && rule.method !== method) continue;
      if (rule.path !== undefined && !rule.path.test(path)) continue;
      if (rule.chance !== undefined && random() >= rule.chance) continue;
      one.left -= 1;
      one.hits += 1;
      const { fault } = rule;
      const isDrawn = rule.drawn === true && 'bytes' in fault && fault.bytes > 0;
      return isDrawn ? { ...fault, bytes: 1 + Math.floor(random() * fault.bytes) } : fault;
    }
    return undefined;
  }

  return {
    add: (rule) => {
      const one: Active = { rule, left: rule.times ?? 1, hits: 0 };
      active = rule.isFirst === true ? [one, ...active] : [...active, one];
      return {
        hits: () => one.hits,
        remove: () => {
          active = active.filter((each) => each !== one);
        },
      };
    },
    clear: () => {
      active = [];
    },
    intercept: async (_request, entry, { socket, response }) => {
      const fault = find(entry.method, entry.path, ({ type }) => type !== 'duplicateEvents');
      if (fault === undefined) return false;
      entry.fault = fault.type;
      if (fault.type === 'delay') await new Promise<void>((resolve) => clock.after(fault.ms, resolve));
      return strike(fault, socket, response, clock);
    },
    watchOptions: (path) => {
      const doubled = find('GET', path, ({ type }) => type === 'duplicateEvents') !== undefined;
      return doubled ? { lines: (line) => [line, line] } : {};
    },
  };
}

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

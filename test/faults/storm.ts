/** Faults of every kind, put in the way of the executable by chance: the same ones for the same seed and requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import type { ActiveFault } from '../cluster/faults/faults.ts';
import { FAULTS, type Fault } from '../cluster/faults/rules.ts';

/** Requests by what they are for. */
const WHERE = {
  watch: { method: 'GET', path: /[?&]watch=true/ },
  list: { method: 'GET', path: /\/(jobs|pods|services|events)\?(?!.*watch=true)/ },
  object: { method: 'GET', path: /\/(jobs|pods|services|nodes)\/[^/?]+(\?|$)/ },
  create: { method: 'POST', path: /\/(jobs|services|secrets)(\?|$)/ },
  patch: { method: 'PATCH', path: /./ },
  remove: { method: 'DELETE', path: /./ },
  /** A log that is read, followed or not. */
  log: { method: 'GET', path: /\/log\?/ },
  follow: { method: 'GET', path: /\/log\?.*follow=true/ },
  channel: { method: 'GET', path: /\/(exec|attach)\?/ },
} as const;

type Where = keyof typeof WHERE;

interface Row {
  readonly name: string;
  readonly fault: Fault;
  /** Chance in a hundred. Rare: the pauses after it are long. */
  readonly at: Readonly<Partial<Record<Where, number | 'rare'>>>;
}

interface Weather {
  /** What part of the chances in the table. */
  readonly part: number;
  /** Faults that are rare: how often each of them at most, by what chance. */
  readonly rare: { readonly times: number; readonly chance: number };
}

/** For some minutes: everything fails all the time. */
export const HEAVY: Weather = { part: 1, rare: { times: 1, chance: 0.06 } };
/** For as long as one likes: one request of fifty or so. */
export const LIGHT: Weather = { part: 0.03, rare: { times: Number.POSITIVE_INFINITY, chance: 0.0005 } };

const cut = (bytes: number): Fault => ({ type: 'resetAfterBytes', bytes });
const truncated = (bytes: number): Fault => ({ type: 'truncate', bytes });
const CALLS = { object: 4, create: 4, patch: 4, remove: 4 } as const;
const OPENING = { watch: 'rare', list: 'rare' } as const;

const ROWS: readonly Row[] = [
  { name: '401', fault: FAULTS.unauthorized, at: { ...OPENING, log: 2, object: 1, patch: 1, channel: 3 } },
  { name: '403 for a moment', fault: FAULTS.transientForbidden, at: { ...OPENING, log: 1, object: 1, patch: 1 } },
  { name: '410', fault: FAULTS.gone, at: { watch: 10 } },
  { name: '429', fault: FAULTS.tooManyRequests, at: { ...OPENING, ...CALLS, log: 3, channel: 5 } },
  { name: '500', fault: FAULTS.internalError, at: { ...OPENING, ...CALLS, log: 5, channel: 5 } },
  { name: '500 of a webhook', fault: FAULTS.webhookTimeout, at: { create: 3, patch: 2 } },
  { name: '502 with a page', fault: FAULTS.htmlPage, at: { ...OPENING, ...CALLS, log: 4, channel: 3 } },
  { name: '503', fault: FAULTS.unavailable, at: { ...OPENING, ...CALLS, log: 4, channel: 5 } },
  { name: '504', fault: FAULTS.timeout, at: { ...OPENING, ...CALLS, log: 4 } },
  { name: '200 with a page', fault: FAULTS.loginPage, at: { ...OPENING, log: 2 } },
  { name: 'no agent', fault: FAULTS.noAgent, at: { log: 5, channel: 8 } },
  { name: 'words of the kubelet', fault: FAULTS.logPathLost, at: { log: 4 } },
  { name: 'too many open files', fault: FAULTS.tooManyOpenFiles, at: { log: 4 } },
  { name: '404 of a log', fault: FAULTS.transientLogNotFound, at: { log: 4 } },
  { name: 'reset before the work', fault: FAULTS.resetBeforeWork, at: { ...OPENING, ...CALLS, log: 5, channel: 5 } },
  {
    name: 'lost answer',
    fault: FAULTS.lostAnswer,
    at: { ...OPENING, object: 4, create: 12, patch: 8, remove: 8, log: 4 },
  },
  { name: 'reset after the headers', fault: FAULTS.resetAfterHeaders, at: { ...OPENING, ...CALLS, log: 6 } },
  { name: 'cut in a line', fault: cut(60), at: { log: 5, ...CALLS } },
  { name: 'cut in a line', fault: cut(1_777), at: { watch: 8, list: 'rare', log: 12 } },
  { name: 'cut in a line', fault: cut(9_001), at: { watch: 10, log: 12 } },
  { name: 'cut in a line', fault: cut(33_333), at: { watch: 10, log: 12 } },
  { name: 'truncated', fault: truncated(100), at: { log: 5, list: 'rare', object: 3 } },
  { name: 'truncated', fault: truncated(5_432), at: { watch: 8, log: 8 } },
  { name: 'truncated', fault: truncated(21_000), at: { watch: 8, log: 8 } },
  {
    name: 'silent',
    fault: FAULTS.silent,
    at: { object: 1, create: 2, patch: 1, follow: 1, watch: 'rare', channel: 2 },
  },
  { name: 'stalled', fault: { type: 'stall', bytes: 700 }, at: { follow: 3, watch: 'rare', object: 1, patch: 1 } },
  { name: 'slow', fault: { type: 'slow', bytes: 1_024, ms: 5 }, at: { log: 4, object: 3, list: 10 } },
  { name: 'delay', fault: { type: 'delay', ms: 300 }, at: { ...CALLS, watch: 5, list: 5, log: 5, channel: 5 } },
  { name: 'duplicate events', fault: FAULTS.duplicateEvents, at: { watch: 30 } },
];

export interface Storm {
  /** Faults that have struck, by kind. */
  readonly counts: () => ReadonlyMap<string, number>;
  readonly total: () => number;
  /** How often a watch was opened, at most, while it only replayed old events. */
  readonly replays: () => number;
  /** Has each disturbance of the cluster itself happened? */
  readonly isComplete: () => boolean;
  /** Runs `action` the next time that the API server is away, or at once after the storm: the next list shows it. */
  readonly whileAway: (action: () => Promise<void> | void) => void;
  /** Ends the faults; what disturbs the cluster itself is put right again. */
  readonly end: () => Promise<void>;
}

interface StormOptions {
  readonly cluster: SimulatedCluster;
  readonly weather: Weather;
  readonly random: () => number;
  /** Milliseconds between two disturbances of the cluster itself. */
  readonly everyMs: number;
  /** The launcher's token is another one now. */
  readonly onToken: (token: string) => void;
}

/** While a watch only replays old events, it is opened again no more often than this. */
export const MOST_REPLAYS = 20;
const REPLAY_MS = 2_000;
/** Watches are opened again after at most half a minute. */
const LONGEST_PAUSE_MS = 40_000;
/** Less than the seconds that a resumed log is read again: a larger step that is not seen before a cut loses lines on any kubelet. */
export const CLOCK_STEP_MS = 4_000;

export function startStorm({ cluster, weather, random, everyMs, onToken }: StormOptions): Storm {
  const active: { readonly name: string; readonly fault: ActiveFault }[] = [];
  const disturbed = new Map<string, number>();
  const away: (() => Promise<void> | void)[] = [];
  let mostReplays = 0;
  const ending = new AbortController();
  let isBack = false;

  for (const { name, fault, at } of ROWS) {
    for (const [where, often] of Object.entries(at)) {
      const limits =
        often === 'rare' ? weather.rare : { times: Number.POSITIVE_INFINITY, chance: (often / 100) * weather.part };
      active.push({ name, fault: cluster.faults.add({ ...WHERE[where as Where], fault, drawn: true, ...limits }) });
    }
  }

  async function restart(history: 'kept' | 'lost'): Promise<void> {
    await cluster.stopApi('cut');
    if (history === 'lost') {
      for (const action of away.splice(0)) await action();
      cluster.compact();
    }
    await sleep(300);
    await cluster.startApi();
  }

  const DISTURBANCES: readonly { readonly name: string; readonly run: () => Promise<void> | void }[] = [
    { name: 'restart, history lost', run: () => restart('lost') },
    {
      name: 'clocks of nodes step',
      run: () => {
        isBack = !isBack;
        for (const kubelet of cluster.kubelets.values()) kubelet.setClock(isBack ? -CLOCK_STEP_MS : 0);
        // The first line after the step comes on another connection: a reader that went on at the newest second loses it.
        return restart('kept');
      },
    },
    { name: 'watches ended', run: cluster.endWatches },
    {
      name: 'compaction',
      run: () => {
        cluster.compact();
        cluster.endWatches();
      },
    },
    { name: 'token replaced', run: () => rotate() },
    { name: 'restart, history kept', run: () => restart('kept') },
    {
      name: 'kubelet restarted',
      run: async () => {
        const names = [...cluster.kubelets.keys()];
        const name = names[Math.floor(random() * names.length)];
        cluster.killKubelet(name);
        await sleep(1_000);
        cluster.startKubelet(name);
      },
    },
    { name: 'events replayed', run: replay },
    {
      name: 'nodes out of reach',
      run: async () => {
        cluster.setAgent('away');
        await sleep(1_000);
        cluster.setAgent('available');
      },
    },
  ];

  async function replay(): Promise<void> {
    const path = /\/pods\?.*watch=true/;
    // Before the faults that let a watch stay open.
    const rule = { fault: FAULTS.replayedEvent, method: 'GET', path, times: MOST_REPLAYS * 10, isFirst: true } as const;
    const fault = cluster.faults.add(rule);
    cluster.endWatches();
    // The watch may be about to be opened again after a failure.
    for (let left = LONGEST_PAUSE_MS; left > 0 && fault.hits() === 0; left -= 100) await sleep(100);
    await sleep(REPLAY_MS);
    fault.remove();
    mostReplays = Math.max(mostReplays, fault.hits());
  }

  async function rotate(): Promise<void> {
    const token = cluster.rotateToken();
    // For a moment the old one is refused and the new one is not there yet.
    await sleep(500);
    onToken(token);
  }

  async function disturb(): Promise<void> {
    for (let round = 0; !ending.signal.aborted; round++) {
      await sleep(everyMs * (0.5 + random()), undefined, { signal: ending.signal }).catch(() => undefined);
      if (ending.signal.aborted) return;
      const next = DISTURBANCES[round % DISTURBANCES.length];
      if (next === undefined) return;
      await next.run();
      disturbed.set(next.name, (disturbed.get(next.name) ?? 0) + 1);
    }
  }
  const disturbing = disturb();

  function counts(): ReadonlyMap<string, number> {
    const all = new Map<string, number>();
    for (const { name, fault } of active) all.set(name, (all.get(name) ?? 0) + fault.hits());
    for (const [name, count] of disturbed) all.set(name, count);
    return all;
  }

  return {
    counts,
    replays: () => mostReplays,
    total: () => [...counts().values()].reduce((sum, count) => sum + count, 0),
    isComplete: () => DISTURBANCES.every(({ name }) => disturbed.has(name)),
    whileAway: (action) => {
      if (ending.signal.aborted) void action();
      else away.push(action);
    },
    end: async () => {
      ending.abort();
      await disturbing;
      if (away.length > 0) await restart('lost');
      cluster.faults.clear();
    },
  };
}

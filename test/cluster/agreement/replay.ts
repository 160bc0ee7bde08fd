/**
 * Sends the requests of a recorded scenario to the simulated cluster, in the recorded order and at the recorded
 * distances, in the time of its clock. What had ended in the recording before a request was sent has ended here, too.
 */
import { type ByHand, doneByHand } from './byhand.ts';
import { exchange as exchangeOne, type Outcome, type Replay } from './exchange.ts';
import { recordedPods } from './own.ts';
import { prelude } from './prelude.ts';
import type { Exchange } from './recordings.ts';
import { became, PATIENCE_MS } from './waits.ts';
import { isBackgroundWatch, type Watched, watchBeside } from './watched.ts';

/** What was done by hand is dated by the line of a watch that shows it. */
const BEFORE_LINE_MS = 10;

interface Selection {
  /** Not sent at all. */
  readonly skip: ReadonlySet<number>;
  /** Known to differ: nothing is waited for. */
  readonly differing: ReadonlySet<number>;
}

export async function replay(
  { cluster, clock, caller, history }: Pick<Replay, 'cluster' | 'clock' | 'caller' | 'history'>,
  scenario: string,
  exchanges: readonly Exchange[],
  { skip, differing }: Selection,
): Promise<Outcome[]> {
  const wanted = exchanges.filter(({ n, method, path }) => method !== null && path !== null && !skip.has(n));
  const requests = wanted.filter((exchange) => !isBackgroundWatch(exchange));
  const end = Math.max(...requests.map(({ t }) => t ?? 0));
  const pods = recordedPods(scenario, exchanges);
  const context: Replay = { cluster, clock, caller, history, pods, names: new Map(), differing };
  const sent: { readonly until: number; readonly outcome: Promise<Outcome> }[] = [];
  const watches = wanted.filter(isBackgroundWatch).map((watch) => watchBeside(cluster, scenario, watch));
  const guides = watches.filter(({ n, plural }) => (plural === 'jobs' || plural === 'pods') && !differing.has(n));
  const begun: Promise<unknown>[] = [];
  await prelude(cluster, caller, exchanges);
  let start = clock.now();
  const steps: (Exchange | ByHand)[] = [...requests, ...doneByHand(scenario, exchanges).filter(({ t }) => t <= end)];
  for (const step of steps.sort((a, b) => (a.t ?? 0) - (b.t ?? 0))) {
    const t = step.t ?? 0;
    await Promise.all(sent.filter(({ until }) => until <= t).map(({ outcome }) => outcome));
    if (!('n' in step)) await Promise.all([...begun, reached(context, guides, t - BEFORE_LINE_MS)]);
    else if (!isLook(step)) await reached(context, guides, t);
    const wait = start + t - clock.now();
    if (wait > 0) await clock.sleep(wait);
    // Whoever is late stays late: the distances between requests do not become shorter.
    else start -= wait;
    if (!('n' in step)) await step.act(cluster, caller);
    else {
      const { promise, resolve } = Promise.withResolvers<void>();
      const outcome = exchangeOne(context, step, resolve);
      sent.push({ until: step.until ?? t, outcome });
      if (!isStream(step)) await outcome;
      else if (step.status === 101) begun.push(Promise.race([promise, outcome]));
      if (isExec(step)) await begun.at(-1);
    }
  }
  const all = await Promise.all(sent.map(({ outcome }) => outcome));
  for (const watch of watches) all.push(await watched(context, watch, end));
  for (const watch of watches) watch.close();
  return all;
}

/** Somebody who changes something, changes what the watches have shown so far: here, too. */
async function reached(replay: Replay, guides: readonly Watched[], t: number): Promise<void> {
  await became(replay, () => guides.every(({ differences }) => differences(t).length === 0));
}

/** Whether all objects came as far as the recorded ones had at the end. */
async function watched(replay: Replay, { n, differences }: Watched, end: number): Promise<Outcome> {
  const same = await became(replay, () => differences(end).length === 0, replay.differing.has(n) ? 0 : PATIENCE_MS);
  return { n, same, expected: '', actual: same ? '' : differences(end).join('\n') };
}

/** What comes after it may end it; it had begun by then. */
function isExec({ path, status }: Exchange): boolean {
  return status === 101 && /\/exec\?/.test(path ?? '');
}

/** A GET of objects: its answer is looked for in all that they were. */
function isLook(step: Exchange): boolean {
  return step.method === 'GET' && !isStream(step) && !/\/log(\?|$)/.test(step.path ?? '');
}

function isStream({ path, status }: Exchange): boolean {
  return status === 101 || /[?&](watch|follow)=true/.test(path ?? '');
}

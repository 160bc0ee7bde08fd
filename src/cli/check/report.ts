/** What `check` finds out, step by step, and how it is told: one line each for people, one object each for machines. */
import { Deadline, untilAborted } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import { type Color, clean, fold, paint, type Terminal } from '../terminal.ts';

/** `skipped`: could not be tried, because of a step before. */
type Status = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  readonly status: Status;
  /** What was found. */
  readonly found: string;
  /** How to mend it. */
  readonly remedy?: string;
  /** Lines to read or to paste. */
  readonly details?: readonly string[];
}

/** What a step leaves for later ones; without a value those that need it cannot be tried. */
export interface Checked<T> {
  readonly findings: readonly Finding[];
  readonly value?: T | undefined;
}

export const ok = (found: string): Finding => ({ status: 'ok', found });

export const warning = (found: string, remedy: string, details: readonly string[] = []): Finding => ({
  status: 'warning',
  found,
  remedy,
  details,
});

export const failed = (found: string, remedy: string, details: readonly string[] = []): Finding => ({
  status: 'failed',
  found,
  remedy,
  details,
});

/** A step that leaves nothing. */
export const only = (...findings: readonly Finding[]): Checked<true> => ({ findings, value: true });

export interface Report {
  /**
   * Tries a step with what it needs; undefined if it could not be tried or left nothing. A step that does not end in
   * time, or throws, has failed.
   */
  readonly step: <N, T>(
    name: string,
    needs: N | undefined,
    run: (needed: N, signal: AbortSignal) => Checked<T> | Promise<Checked<T>>,
  ) => Promise<T | undefined>;
  /** Ends it; the exit code. */
  readonly finish: () => number;
}

interface ReportOptions {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly json: boolean;
  /** All steps together. */
  readonly totalMs: number;
}

/** All of the needs, or undefined if one of them is missing. */
export function all<const T extends readonly unknown[]>(
  ...needs: T
): { [K in keyof T]: Exclude<T[K], undefined> } | undefined {
  return needs.includes(undefined) ? undefined : (needs as { [K in keyof T]: Exclude<T[K], undefined> });
}

export function createReport({ terminal, clock, json, totalMs }: ReportOptions): Report {
  const begun = clock.monotonic();
  const deadline = new Deadline(clock);
  const late = `no answer within the ${totalMs / 1000} s that all steps together have`;
  deadline.set(totalMs, () => new Error(late));
  const results: (Finding & { readonly step: string })[] = [];

  /** Steps skipped one after the other for the same reason are told on one line. */
  let skipped: { readonly steps: readonly string[]; readonly found: string } = { steps: [], found: '' };

  function tellSkipped(): void {
    const { steps, found } = skipped;
    const [first = ''] = steps;
    const all =
      steps.length > 1
        ? { step: `${steps.length} steps`, found: `${found}: ${steps.join(', ')}` }
        : { step: first, found };
    if (steps.length > 0) terminal.write(lineOf(all.step, { status: 'skipped', found: all.found }, terminal));
    skipped = { steps: [], found: '' };
  }

  function add(step: string, finding: Finding): void {
    results.push({ step, ...finding });
    if (json) return;
    const { status, found } = finding;
    if (status !== 'skipped' || found !== skipped.found) tellSkipped();
    if (status === 'skipped') skipped = { steps: [...skipped.steps, step], found };
    else terminal.write(lineOf(step, finding, terminal));
  }

  return {
    step: async (name, needs, run) => {
      if (needs === undefined || deadline.signal.aborted) {
        add(name, { status: 'skipped', found: needs === undefined ? 'not tried, because of what failed above' : late });
        return undefined;
      }
      try {
        const { findings, value } = await before(deadline.signal, run(needs, deadline.signal));
        for (const finding of findings) add(name, finding);
        return value;
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        add(name, failed(words, deadline.signal.aborted ? 'see what is slow above' : 'see the text'));
        return undefined;
      }
    },
    finish: () => {
      deadline.end();
      if (!json) tellSkipped();
      const seconds = (clock.monotonic() - begun) / 1000;
      const isGood = !results.some(({ status }) => status === 'failed');
      if (json)
        terminal.write(`${JSON.stringify({ ok: isGood, seconds: Number(seconds.toFixed(3)), results }, null, 2)}\n`);
      else terminal.write(`${summary(results, seconds)}\n`);
      return isGood ? 0 : 1;
    },
  };
}

/** Rejects with the signal's reason if that is aborted before the work is done. */
function before<T>(signal: AbortSignal, work: T | Promise<T>): Promise<T> {
  const over = untilAborted(signal).then(() => Promise.reject(signal.reason));
  return Promise.race([work, over]);
}

function summary(results: readonly Finding[], seconds: number): string {
  const counts = (['failed', 'warning', 'ok', 'skipped'] as const).flatMap((status) => {
    const count = results.filter((result) => result.status === status).length;
    return count === 0 ? [] : `${count} ${status}${status === 'warning' && count > 1 ? 's' : ''}`;
  });
  return `${counts.join(', ')} (${seconds.toFixed(1)} s)`;
}

const STATUS_COLORS: Readonly<Record<Status, Color>> = {
  ok: 'green',
  warning: 'yellow',
  failed: 'red',
  skipped: 'gray',
};
const STATUS_WIDTH = 9;
const STEP_WIDTH = 16;
const INDENT = ' '.repeat(STATUS_WIDTH + STEP_WIDTH);

/** `failed   tcp             what was found -> how to mend it`, and the details below. */
function lineOf(step: string, { status, found, remedy, details = [] }: Finding, terminal: Terminal): string {
  const text = clean(remedy === undefined ? found : `${found.replace(/\.$/, '')} -> ${remedy}`);
  const width = terminal.columns === undefined ? undefined : Math.max(20, terminal.columns - INDENT.length);
  const [first = '', ...more] = fold(text, width);
  const head = `${paint(terminal, STATUS_COLORS[status], status.padEnd(STATUS_WIDTH))}${step.padEnd(STEP_WIDTH)}${first}`;
  return [head, ...more.map((line) => INDENT + line), ...details.map((line) => INDENT + clean(line)), ''].join('\n');
}

/** Report of `check`: runs steps with a common deadline and prints their findings, one line each or as JSON. */
import { Deadline, untilAborted } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import { errorMessage } from '../../system/errors.ts';
import { EXIT_FAILED, EXIT_OK } from '../command-contract.ts';
import { type Color, clean, cleanJson, paint, type Terminal } from '../terminal.ts';
import { fold } from '../text-columns.ts';

/** `skipped`: not tried, because an earlier step failed. */
type Status = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  readonly status: Status;
  /** What was found. */
  readonly found: string;
  /** How to fix it. */
  readonly remedy?: string;
  /** Lines to read or to paste. */
  readonly details?: readonly string[];
}

/** What a step returns; without a value, the steps that need it are skipped. */
export interface Checked<T> {
  readonly findings: readonly Finding[];
  readonly value?: T | undefined;
}

export const ok = (found: string): Finding => ({ status: 'ok', found });

export const warning = (found: string, remedy?: string): Finding => finding('warning', found, remedy);

export const failure = (found: string, remedy?: string, details: readonly string[] = []): Finding =>
  finding('failed', found, remedy, details);

function finding(status: Status, found: string, remedy?: string, details: readonly string[] = []): Finding {
  return { status, found, ...(remedy === undefined ? {} : { remedy }), ...(details.length === 0 ? {} : { details }) };
}

/** A step without a value for later steps. */
export const only = (...findings: readonly Finding[]): Checked<true> => ({ findings, value: true });

interface ReportOptions {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly json: boolean;
  /** Deadline of all steps together. */
  readonly totalMs: number;
}

/** All of the needs, or undefined if one of them is missing. */
export function all<const T extends readonly unknown[]>(
  ...needs: T
): { [K in keyof T]: Exclude<T[K], undefined> } | undefined {
  return needs.includes(undefined) ? undefined : (needs as { [K in keyof T]: Exclude<T[K], undefined> });
}

/** The steps of one `check`, their findings and their common deadline. `finish` ends it. */
export class CheckReport {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #json: boolean;
  readonly #begun: number;
  readonly #deadline: Deadline;
  readonly #late: string;
  readonly #results: (Finding & { readonly step: string })[] = [];
  /** Consecutive steps that were skipped for the same reason; they become one line. */
  #skipped: { readonly steps: readonly string[]; readonly found: string } = { steps: [], found: '' };

  constructor({ terminal, clock, json, totalMs }: ReportOptions) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#json = json;
    this.#begun = clock.monotonic();
    this.#late = `the limit of ${totalMs / 1000} s for all steps is exceeded`;
    this.#deadline = new Deadline(clock);
    this.#deadline.set(totalMs, () => new Error(this.#late));
  }

  /**
   * Tries a step with what it needs; undefined if it could not be tried or has no value. A step that does not end in
   * time, or throws, has failed.
   */
  async step<N, T>(
    name: string,
    needs: N | undefined,
    run: (needed: N, signal: AbortSignal) => Checked<T> | Promise<Checked<T>>,
  ): Promise<T | undefined> {
    const { signal } = this.#deadline;
    if (needs === undefined || signal.aborted) {
      const found = needs === undefined ? 'skipped because of a failure above' : this.#late;
      this.#add(name, { status: 'skipped', found });
      return undefined;
    }
    try {
      const { findings, value } = await before(signal, run(needs, signal));
      for (const finding of findings) this.#add(name, finding);
      return value;
    } catch (error) {
      const message = errorMessage(error);
      this.#add(name, failure(message, signal.aborted ? SLOW : UNEXPECTED));
      return undefined;
    }
  }

  /** Prints the summary, or the JSON. Returns the exit code. */
  finish(): number {
    this.#deadline.end();
    const seconds = (this.#clock.monotonic() - this.#begun) / 1000;
    const isGood = !this.#results.some(({ status }) => status === 'failed');
    if (this.#json) {
      const report = { ok: isGood, seconds: Number(seconds.toFixed(3)), results: this.#results };
      this.#terminal.write(`${cleanJson(report, 2)}\n`);
    } else {
      this.#writeSkipped();
      this.#terminal.write(`${summary(this.#results, seconds)}\n`);
    }
    return isGood ? EXIT_OK : EXIT_FAILED;
  }

  #add(step: string, finding: Finding): void {
    this.#results.push({ step, ...finding });
    if (this.#json) return;
    const { status, found } = finding;
    if (status !== 'skipped' || found !== this.#skipped.found) this.#writeSkipped();
    if (status === 'skipped') this.#skipped = { steps: [...this.#skipped.steps, step], found };
    else this.#terminal.write(lineOf(step, finding, this.#terminal));
  }

  #writeSkipped(): void {
    const { steps, found } = this.#skipped;
    this.#skipped = { steps: [], found: '' };
    const [first] = steps;
    if (first === undefined) return;
    const [step, text] =
      steps.length === 1 ? [first, found] : [`${steps.length} steps`, `${found}: ${steps.join(', ')}`];
    this.#terminal.write(lineOf(step, { status: 'skipped', found: text }, this.#terminal));
  }
}

const SLOW = 'this step or a step above is slow; run check again, and see which step waits';
const UNEXPECTED = 'this error is unexpected; please report it';

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

/** `failed   tcp             what was found -> how to fix it`, and the details below. */
function lineOf(step: string, { status, found, remedy, details = [] }: Finding, terminal: Terminal): string {
  const text = clean(remedy === undefined ? found : `${found.replace(/\.$/, '')} -> ${remedy}`);
  const width = terminal.columns === undefined ? undefined : Math.max(20, terminal.columns - INDENT.length);
  const [first = '', ...more] = fold(text, width);
  const head = `${paint(terminal, STATUS_COLORS[status], status.padEnd(STATUS_WIDTH))}${step.padEnd(STEP_WIDTH)}${first}`;
  return [head, ...more.map((line) => INDENT + line), ...details.map((line) => INDENT + clean(line)), ''].join('\n');
}

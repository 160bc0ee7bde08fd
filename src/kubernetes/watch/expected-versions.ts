/**
 * Resource versions that a watch must show soon, because the answer of a call contains them. A watch that does not show one in
 * time is silent: its connection may be open although nothing arrives any more, for example behind a proxy.
 */
import type { Clock } from '../../system/clock.ts';
import { isNewer } from './store.ts';

interface ExpectedVersionsOptions {
  readonly clock: Clock;
  /** Time in which a watch shows a version. */
  readonly ms: number;
  /** The version up to which the watch has shown everything; undefined before the first list. */
  readonly shown: () => string | undefined;
  /** A version is missing, for this time; called again after each `ms` until it is there. */
  readonly onMissing: (ms: number) => void;
}

interface Expected {
  readonly version: string;
  readonly at: number;
}

export class ExpectedVersions {
  readonly #options: ExpectedVersionsOptions;
  /** The version of the running timer, and the newest one after it, so that there is one timer for any number of calls. */
  #checked: Expected | undefined;
  #next: Expected | undefined;
  #isOverdue = false;
  #cancel: (() => void) | undefined;

  constructor(options: ExpectedVersionsOptions) {
    this.#options = options;
  }

  add(version: string): void {
    if (!this.#isMissing(version)) return;
    this.#next = { version, at: this.#options.clock.monotonic() };
    if (this.#checked === undefined) this.#start();
  }

  /** A version was reported as missing, and the watch has still not shown it. */
  get isOverdue(): boolean {
    return this.#isOverdue && this.#checked !== undefined && this.#isMissing(this.#checked.version);
  }

  stop(): void {
    this.#cancel?.();
    this.#checked = undefined;
    this.#next = undefined;
  }

  #isMissing(version: string): boolean {
    const shown = this.#options.shown();
    return shown !== undefined && isNewer(version, shown);
  }

  #start(): void {
    this.#checked = this.#next;
    this.#next = undefined;
    this.#isOverdue = false;
    if (this.#checked !== undefined) this.#cancel = this.#options.clock.after(this.#options.ms, () => this.#check());
  }

  #check(): void {
    const checked = this.#checked;
    if (checked === undefined || !this.#isMissing(checked.version)) {
      this.#start();
      return;
    }
    this.#isOverdue = true;
    this.#cancel = this.#options.clock.after(this.#options.ms, () => this.#check());
    this.#options.onMissing(this.#options.clock.monotonic() - checked.at);
  }
}

/** How a contestant speaks with the benchmark: lines of JSON on stdout; it then waits to be ended. */

export interface Task {
  readonly url: string;
  /** How many objects of a kind the server has. */
  readonly objects: number;
  /** How many events, or jobs, or bytes there will be. */
  readonly count: number;
  /** How many of the same before those that count. */
  readonly uncounted: number;
  /** Requests at a time. */
  readonly parallel: number;
}

/** What a contestant found out by itself. */
export type Findings = Readonly<Record<string, number | string>>;

export function taskOf(argv: readonly string[] = process.argv): Task {
  return JSON.parse(argv[2] ?? '{}');
}

/** It has started and waits for what is measured. */
export function ready(): void {
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
}

/** Everything was seen. */
export function done(findings: Findings): void {
  process.stdout.write(`${JSON.stringify({ done: findings })}\n`);
}

export const JOBS_PATH = '/apis/batch/v1/namespaces/rstudio/jobs';
export const PODS_PATH = '/api/v1/namespaces/rstudio/pods';

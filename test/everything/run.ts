/** Runs suites one after another, whatever the result of the one before, and reports each result. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/terminal.ts';
import type { Suite } from './suites.ts';

export interface Result {
  readonly name: string;
  readonly result: 'ok' | 'FAILED' | 'interrupted' | 'not run';
  /** The suite's own counts, or why it was not run. */
  readonly note: string;
  readonly ms: number;
  /** '' if it was not run. */
  readonly log: string;
}

export interface Surroundings {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  /** Then the suite that runs, and for how long, is on a line that is written over. */
  readonly isTerminal: boolean;
  /** Ends the suite that runs, with all its processes, and starts no other. */
  readonly signal: AbortSignal;
}

const TICK_MS = 1_000;
const CLEAR_LINE = '\r\u001b[K';

export async function runAll(suites: readonly Suite[], surroundings: Surroundings): Promise<readonly Result[]> {
  const { write, isTerminal } = surroundings;
  const results: Result[] = [];
  for (const [index, suite] of suites.entries()) {
    const number = String(index + 1).padStart(String(suites.length).length, '0');
    const began = performance.now();
    const progress = (): void =>
      write(`${CLEAR_LINE}${index + 1} of ${suites.length}: ${suite.name} ${duration(performance.now() - began)}`);
    if (isTerminal) progress();
    const ticks = isTerminal ? setInterval(progress, TICK_MS) : undefined;
    const result = await runOne(suite, `${number}-${suite.name}.log`, surroundings);
    clearInterval(ticks);
    results.push(result);
    write(`${isTerminal ? CLEAR_LINE : ''}${lineOf(result)}\n`);
  }
  return results;
}

const lineOf = ({ name, result, note, ms }: Result): string =>
  [`${result}: ${name}`, ...(ms === 0 ? [] : [duration(ms)]), ...(note === '' ? [] : [note])].join(', ');

/** The last lines of a run: a row for each suite. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ name, result, note, ms, log }) => [
    name,
    result,
    ms === 0 ? '-' : duration(ms),
    note,
    log,
  ]);
  return table([['SUITE', 'RESULT', 'TIME', 'COUNTS', 'LOG'], ...rows], { columns: undefined, color: false });
}

/** `3:07`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

async function runOne(suite: Suite, log: string, surroundings: Surroundings): Promise<Result> {
  const { directory, environment, signal } = surroundings;
  const { name, needs = [] } = suite;
  const unset = needs.filter((variable) => !environment[variable]);
  const notRun = (note: string): Result => ({ name, result: 'not run', note, ms: 0, log: '' });
  if (unset.length > 0) return notRun(`${unset.join(', ')} not set`);
  if (signal.aborted) return notRun('interrupted before');
  const began = performance.now();
  const isRight = await succeeds(suite.command, join(directory, log), surroundings);
  const counts = suite.counts === undefined ? '' : lastMatch(readFileSync(join(directory, log), 'utf8'), suite.counts);
  const result = signal.aborted ? 'interrupted' : isRight ? 'ok' : 'FAILED';
  return { name, result, note: counts, ms: Math.max(1, performance.now() - began), log };
}

const lastMatch = (text: string, pattern: RegExp): string => [...text.matchAll(pattern)].at(-1)?.[1] ?? '';

/** Runs a command as a group of processes of its own, so that all of it can be ended. */
async function succeeds(
  [program = '', ...args]: readonly string[],
  log: string,
  { environment, signal }: Surroundings,
): Promise<boolean> {
  const file = openSync(log, 'w');
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', file, file],
      env: { ...environment, NO_COLOR: '1' },
    });
    const end = (): unknown => signalGroup(child.pid, 'SIGTERM');
    signal.addEventListener('abort', end);
    const isRight = await new Promise<boolean>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => resolve(code === 0));
    }).finally(() => signal.removeEventListener('abort', end));
    if (signal.aborted) await groupEnds(child.pid);
    return isRight;
  } finally {
    closeSync(file);
  }
}

/** For suites to take down what they started. */
const GRACE_MS = 20_000;
const PAUSE_MS = 50;

async function groupEnds(pid: number | undefined): Promise<void> {
  for (let waited = 0; waited < GRACE_MS && signalGroup(pid, 0); waited += PAUSE_MS) await sleep(PAUSE_MS);
  signalGroup(pid, 'SIGKILL');
}

/** Whether there was anything to send it to. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

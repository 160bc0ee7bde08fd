/**
 * Which processes exist on this machine, as far as a container's end needs it: /proc, read when somebody ends.
 */
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since the machine started. */
  readonly startedAt: number;
}

let shared: readonly ProcessInfo[] | undefined;

/** All there are. It takes long: who asks in the same turn of the event loop gets the same answer. */
export function listProcesses(): readonly ProcessInfo[] {
  if (shared === undefined) {
    shared = readProcesses();
    setImmediate(forgetProcesses);
  }
  return shared;
}

/** One was started: whoever asks next sees it. */
export function forgetProcesses(): void {
  shared = undefined;
}

function readProcesses(): ProcessInfo[] {
  return readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? (infoOf(Number(entry)) ?? []) : []));
}

/** Undefined where the process has gone meanwhile. */
export function infoOf(pid: number): ProcessInfo | undefined {
  const fields = fieldsOf(pid)?.map(Number);
  const [, parent = 0, , session = 0] = fields ?? [];
  return fields === undefined ? undefined : { pid, parent, session, startedAt: fields[19] ?? 0 };
}

/** Its state, and what comes after it in /proc/PID/stat. */
function fieldsOf(pid: number): string[] | undefined {
  const text = readProc(pid, 'stat');
  // The command name stands in parentheses and may hold anything.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

export interface LookedAt {
  /** As ps shows it: `S` waits, `T` is stopped, `Z` has ended, anything else works. */
  readonly state: string;
  readonly cpuMs: number;
  /** How often it has worked: the same number, and it has not worked meanwhile. */
  readonly turns: string;
  /** What it waits for, as far as the kernel says; `machine`: it goes on by itself. */
  readonly waitsFor: 'process' | 'input' | 'machine' | undefined;
}

/** What a process does now; undefined if it is gone. */
export function lookAt(pid: number): LookedAt | undefined {
  const fields = fieldsOf(pid);
  if (fields === undefined) return undefined;
  const [state = ''] = fields;
  return {
    state,
    cpuMs: cpuOf(fields),
    turns: readProc(pid, 'schedstat')?.split(' ')[2] ?? '',
    waitsFor: state === 'S' ? reasonOf(readProc(pid, 'wchan') ?? '') : undefined,
  };
}

/** @param place the function of the kernel that a process waits in */
function reasonOf(place: string): LookedAt['waitsFor'] {
  if (/nanosleep|pipe_write/.test(place)) return 'machine';
  if (/^(do|kernel)_wait/.test(place)) return 'process';
  return /read|poll|select|data_wait/.test(place) ? 'input' : undefined;
}

/** Bytes of memory a process holds now. */
export function residentBytes(pid: number): number {
  const pages = readProc(pid, 'statm')?.split(' ')[1];
  return Number(pages ?? 0) * 4096;
}

/** Milliseconds of processor time, in user mode and for it in the kernel. */
export function cpuMs(pid: number): number {
  return cpuOf(fieldsOf(pid) ?? []);
}

function cpuOf(fields: readonly string[]): number {
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // It has ended since the directory was read; there is nothing to tell about it.
    return undefined;
  }
}

/** Whether a process was started with this environment variable: a container's, even after it left its session. */
export function hasVariable(pid: number, variable: string): boolean {
  return readProc(pid, 'environ')?.split('\0').includes(variable) ?? false;
}

/** Sessions by the pid of their leader, with its start: another process may get the pid of a leader that has ended. */
export type Sessions = ReadonlyMap<number, number>;

/** Those of the sessions, and everything below them. */
export function membersOf(sessions: Sessions, all: readonly ProcessInfo[]): number[] {
  const starts = new Map(all.map(({ pid, startedAt }) => [pid, startedAt]));
  const isSession = (id: number): boolean => {
    const startedAt = sessions.get(id);
    return startedAt !== undefined && (starts.get(id) ?? startedAt) === startedAt;
  };
  const members = new Set(all.filter(({ session, pid }) => isSession(session) || isSession(pid)).map(({ pid }) => pid));
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (members.has(parent) && !members.has(pid)) {
        members.add(pid);
        grown = true;
      }
    }
  }
  return [...members];
}

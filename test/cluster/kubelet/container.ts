/**
 * A running container: a local process in a session of its own, everything below it, and its log.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, chownSync, constants as fsConstants, mkdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { ClusterClock } from '../timers.ts';
import { fork, type Identity, type Program } from './fork.ts';
import type { Guard } from './guard.ts';
import type { ContainerLog } from './log.ts';
import {
  cpuMs,
  forgetProcesses,
  hasVariable,
  infoOf,
  listProcesses,
  lookAt,
  membersOf,
  residentBytes,
} from './processes.ts';
import type { Reaper } from './reaper.ts';
import { createRest } from './rest.ts';

interface ContainerOptions {
  readonly clock: ClusterClock;
  readonly command: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly podUid: string;
  readonly workingDir: string | undefined;
  readonly stdin: boolean;
  /** Its own directory: working directory where none is given, and below it those that the machine does not have. */
  readonly directory: string;
  readonly identity: Identity | undefined;
  /** Uid that the pod asked for; decides who may signal whom. */
  readonly user: number;
  /** Bytes; processes above it are killed as the kernel does. */
  readonly memoryLimit: number | undefined;
  /** No other container of the pod runs: what carries the pod's uid is of this one. */
  readonly isAlone: () => boolean;
  readonly log: ContainerLog;
  readonly guard: Guard;
  readonly reaper: Reaper;
}

/** The runtime's text where a program cannot be started. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

export interface ContainerEnd {
  /** 128 + n for signal n. */
  readonly exitCode: number;
  readonly outOfMemory: boolean;
}

type OutputListener = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

export interface RunningContainer {
  readonly pid: number;
  readonly user: number;
  readonly startedAt: number;
  readonly log: ContainerLog;
  readonly ended: Promise<ContainerEnd>;
  readonly hasEnded: () => boolean;
  /** Signals all its processes. */
  readonly signalAll: (signal: NodeJS.Signals | 0) => void;
  /** Signals the main process. */
  readonly signalMain: (signal: NodeJS.Signals) => void;
  /** Starts a further process in it. */
  readonly exec: (command: readonly string[]) => Program;
  /** A process of it gets input from somebody else (rest.ts). */
  readonly touch: () => void;
  /** Input; resolves when the process may take more. Dropped without an error after `closeInput` (kubernetes-facts.md 133). */
  readonly input: (data: Buffer) => Promise<void>;
  readonly closeInput: () => void;
  readonly onOutput: (listener: OutputListener) => () => void;
  readonly usage: () => { readonly cpuMs: number; readonly memoryBytes: number };
}

const OOM_CHECK_MS = 50;
/** The variable by which processes are found that left their session. */
const POD_VARIABLE = 'SIMULATED_POD_UID';
/** How long the first program of a container is watched without a break, where time is driven. */
const FIRST_LOOKS_MS = 1_000;
const NOTHING = new Int32Array(new SharedArrayBuffer(4));
/** How long output may still come after the main process is gone. */
const DRAIN_MS = 2000;

/** The checks of all containers with a limit; they run in one turn of the event loop and read /proc once. */
const memoryChecks = new Set<() => void>();
let memoryWatcher: NodeJS.Timeout | undefined;

/** Calls `check` every OOM_CHECK_MS; returns what ends that. */
function watchMemory(check: () => void): () => void {
  memoryChecks.add(check);
  memoryWatcher ??= setInterval(() => {
    for (const each of memoryChecks) each();
  }, OOM_CHECK_MS);
  return () => {
    memoryChecks.delete(check);
    if (memoryChecks.size > 0) return;
    clearInterval(memoryWatcher);
    memoryWatcher = undefined;
  };
}

/** @throws StartError */
export function startContainer(options: ContainerOptions): RunningContainer {
  const { command, clock, guard, log, identity } = options;
  const [program = ''] = command;
  checkTexts(options);
  const cwd = workingDirectory(options);
  // Pods of other clusters on this machine may have the same name.
  const env = { ...Object.fromEntries(options.env), [POD_VARIABLE]: options.podUid };
  const sessions = new Map<number, number>();
  const listeners = new Set<OutputListener>();
  let outOfMemory = false;
  let over = false;

  const rest = createRest({
    clock,
    guard,
    members: () => membersOf(sessions, listProcesses()),
    whileBusy: (looks) => {
      // Few programs take more than a look to start.
      if (options.memoryLimit !== undefined && looks > 1) checkMemory(options.memoryLimit);
    },
  });
  const child = first();
  const pid = child.pid;
  if (pid === undefined) {
    rest.close();
    throw new StartError(startErrorText(program, options.env) ?? `exec: "${program}": cannot run`);
  }
  const startedAt = clock.now();
  const firstTick = sessions.get(pid) ?? 0;

  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.on('data', (chunk: Buffer) => {
      rest.touch();
      log.write(stream, chunk);
      for (const listener of [...listeners]) listener(stream, chunk);
    });
  }
  // A process that does not read its input ends the pipe; that is no error of the cluster.
  child.stdin?.on('error', () => {});

  function start(argv: readonly string[], stdin: 'pipe' | 'ignore'): Program {
    const [file = '', ...args] = argv;
    const problem = startErrorText(file, options.env);
    if (problem !== undefined) throw new StartError(problem);
    const made =
      clock.containers === undefined
        ? fork({ file, args, cwd, env, identity, hasInput: stdin === 'pipe' })
        : startDriven(file, args, stdin);
    forgetProcesses();
    if (made.pid !== undefined) {
      guard.register(made.pid);
      sessions.set(made.pid, infoOf(made.pid)?.startedAt ?? 0);
      options.reaper.watch(made.pid);
    }
    return made;
  }

  /** Its descriptor 3 says who sleeps (rest.ts). */
  function startDriven(file: string, args: readonly string[], stdin: 'pipe' | 'ignore'): ChildProcess {
    const made = spawn(file, args, { cwd, env, detached: true, stdio: [stdin, 'pipe', 'pipe', 'pipe'], ...identity });
    made.on('error', () => {});
    rest.started(made);
    return made;
  }

  function first(): Program {
    try {
      return start(command, options.stdin ? 'pipe' : 'ignore');
    } catch (error) {
      rest.close();
      throw error;
    }
  }

  const marker = `${POD_VARIABLE}=${options.podUid}`;

  /** Its sessions, what is below them, and strays that left both. */
  function members(): number[] {
    const all = listProcesses();
    const found = new Set(membersOf(sessions, all));
    if (!options.isAlone()) return [...found];
    // The environment of each process of the machine would take long to read.
    const others = all.filter((other) => other.startedAt >= firstTick && !found.has(other.pid));
    const strays = others.filter((other) => hasVariable(other.pid, marker));
    return [...found, ...strays.map((other) => other.pid)];
  }

  /** The kernel kills all in one go; here each is stopped first, so that a shell has no time to say that a child was killed. */
  function signalAll(signal: NodeJS.Signals | 0): void {
    // A process that began after others had asked would miss the signal.
    forgetProcesses();
    const all = members();
    rest.touch();
    for (const member of all) guard.register(member);
    const targets = signal === 'SIGKILL' ? all.filter((member) => guard.signal(member, 'SIGSTOP')) : all;
    for (const member of targets) guard.signal(member, signal);
  }

  function checkMemory(limit: number): void {
    const sizes = membersOf(sessions, listProcesses()).map((member) => ({ member, bytes: residentBytes(member) }));
    const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
    const largest = sizes.sort((a, b) => b.bytes - a.bytes)[0];
    if (total <= limit || largest === undefined) return;
    outOfMemory = true;
    guard.register(largest.member);
    guard.signal(largest.member, 'SIGKILL');
  }

  /** Looks until the first program waits: on a busy machine one that takes a lot and ends would not be seen otherwise. */
  function watchFirst(mainPid: number, limit: number): void {
    const end = performance.now() + FIRST_LOOKS_MS;
    while (performance.now() < end) {
      const seen = lookAt(mainPid);
      if (seen === undefined || 'SZT'.includes(seen.state)) return;
      if (residentBytes(mainPid) > limit) {
        checkMemory(limit);
        return;
      }
      Atomics.wait(NOTHING, 0, 0, 1);
    }
  }

  const { memoryLimit } = options;
  // Where time is driven it is looked at whenever a process works.
  if (memoryLimit !== undefined && clock.containers !== undefined) watchFirst(pid, memoryLimit);
  const isLookedAt = memoryLimit !== undefined && clock.containers === undefined;
  const unwatch = isLookedAt ? watchMemory(() => checkMemory(memoryLimit)) : undefined;

  const ended = new Promise<ContainerEnd>((resolve) => {
    let exitCode = 0;
    child.on('exit', (code, signal) => {
      over = true;
      unwatch?.();
      exitCode = signal === null ? (code ?? 0) : 128 + constants.signals[signal];
      // With its main process a container ends as a whole.
      signalAll('SIGKILL');
      const drain = setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
      }, DRAIN_MS);
      child.on('close', () => clearTimeout(drain));
    });
    child.on('close', () => {
      log.finish();
      rest.close();
      for (const session of sessions.keys()) {
        guard.forget(session);
        options.reaper.forget(session);
      }
      resolve({ exitCode, outOfMemory });
    });
  });

  return {
    pid,
    user: options.user,
    startedAt,
    log,
    ended,
    hasEnded: () => over,
    signalAll,
    signalMain: (signal) => {
      rest.touch();
      if (!over) guard.signal(pid, signal);
    },
    exec: (argv) => start(argv, 'pipe'),
    touch: rest.touch,
    input: (data) =>
      new Promise((resolve) => {
        const { stdin } = child;
        rest.touch();
        if (stdin === null || stdin.writableEnded || stdin.destroyed) resolve();
        else stdin.write(data, () => resolve());
      }),
    closeInput: () => {
      rest.touch();
      child.stdin?.end();
    },
    onOutput: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    usage: () => {
      const pids = over ? [] : members();
      return {
        cpuMs: pids.reduce((sum, member) => sum + cpuMs(member), 0),
        memoryBytes: pids.reduce((sum, member) => sum + residentBytes(member), 0),
      };
    },
  };
}

/** The directory itself where the machine has it and the user may enter it, else one of that name of its own. */
/** No system call takes a NUL in a text. */
function checkTexts({ command, env, workingDir = '' }: ContainerOptions): void {
  if (workingDir.includes('\0')) throw new StartError(`mkdir ${JSON.stringify(workingDir)}: invalid argument`);
  if ([...command, ...[...env].flat()].some((text) => text.includes('\0'))) {
    throw new StartError(`exec: ${JSON.stringify(command[0])}: invalid argument`);
  }
}

function workingDirectory({ workingDir, directory, identity }: ContainerOptions): string {
  if (workingDir === undefined || workingDir === '') return directory;
  if (isEnterable(workingDir, identity)) return workingDir;
  const own = join(directory, workingDir);
  mkdirSync(own, { recursive: true });
  if (identity !== undefined) chownSync(own, identity.uid, identity.gid);
  return own;
}

function isEnterable(path: string, identity: Identity | undefined): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isDirectory()) return false;
  if (identity === undefined) return true;
  const bits = stat.uid === identity.uid ? stat.mode >> 6 : stat.gid === identity.gid ? stat.mode >> 3 : stat.mode;
  return (bits & 0o5) === 0o5;
}

/** What the runtime says about a program that cannot be started (kubernetes-facts.md 14); undefined for one that can. */
function startErrorText(program: string, env: ReadonlyMap<string, string>): string | undefined {
  if (!program.includes('/')) {
    const found = (env.get('PATH') ?? '').split(':').some((folder) => problemOf(join(folder, program)) === undefined);
    return found ? undefined : `exec: "${program}": executable file not found in $PATH`;
  }
  const problem = problemOf(program);
  if (problem === undefined) return undefined;
  return problem === 'missing'
    ? `exec: "${program}": stat ${program}: no such file or directory`
    : `exec: "${program}": permission denied`;
}

function problemOf(path: string): 'missing' | 'denied' | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'missing';
  if (!stat.isFile()) return 'denied';
  try {
    accessSync(path, fsConstants.X_OK);
    return (stat.mode & 0o111) === 0 ? 'denied' : undefined;
  } catch {
    // Not executable for this user: the answer is the same as for a file without the bit.
    return 'denied';
  }
}

/**
 * A process beside the simulator that outlives it by a moment: when the simulator is gone, however it went, it kills
 * what is left of the containers. Started as a program of its own; its input says which sessions there are.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createGuard } from './guard.ts';
import { listProcesses, membersOf } from './processes.ts';

export interface Reaper {
  readonly watch: (session: number) => void;
  readonly forget: (session: number) => void;
  readonly close: () => void;
}

/** Starts it with the first container. */
export function createReaper(): Reaper {
  let child: ChildProcess | undefined;

  function say(line: string): void {
    if (child === undefined) {
      child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--reap'], {
        // A session of its own: a signal to the simulator's group must not end both.
        detached: true,
        env: {},
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      child.stdin?.on('error', () => {});
      child.unref();
    }
    child.stdin?.write(`${line}\n`);
  }

  return {
    watch: (session) => say(`+${session}`),
    forget: (session) => {
      if (child !== undefined) say(`-${session}`);
    },
    close: () => {
      child?.stdin?.end();
    },
  };
}

/** Reads until the simulator's end of the pipe is closed, then kills what was not forgotten. */
async function reap(): Promise<void> {
  const sessions = new Set<number>();
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  for (const line of text.split('\n')) {
    const session = Number(line.slice(1));
    if (line.startsWith('+')) sessions.add(session);
    else sessions.delete(session);
  }
  const guard = createGuard();
  for (const pid of sessions.size === 0 ? [] : membersOf(sessions, listProcesses())) {
    guard.register(pid);
    guard.signal(pid, 'SIGKILL');
  }
}

if (process.argv[2] === '--reap' && process.argv[1] === fileURLToPath(import.meta.url)) await reap();

/**
 * A process beside the simulator that outlives it by a moment: when the simulator is gone, however it went, it kills
 * what is left of the containers. A shell reads which sessions there are, because it starts in no time; only where some
 * are left does it become this program, which kills them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createGuard } from './guard.ts';
import { infoOf, listProcesses, membersOf, type Sessions } from './processes.ts';

export interface Reaper {
  readonly watch: (session: number) => void;
  readonly forget: (session: number) => void;
  readonly close: () => void;
}

/** Its arguments are Node.js and this file; it ends when the simulator's end of the pipe is closed. */
const WAITING = `
file=$1
sessions=' '
while read -r sign session; do
  case "$sign$sessions" in
    +*) sessions="$sessions$session " ;;
    -*" $session "*) sessions="\${sessions%% $session *} \${sessions#* $session }" ;;
  esac
done
set -- $sessions
[ $# = 0 ] || exec "$0" "$file" --reap "$@"`;

/** Starts it with the first container. */
export function createReaper(): Reaper {
  let child: ChildProcess | undefined;

  function say(line: string): void {
    if (child === undefined) {
      child = spawn('/bin/sh', ['-c', WAITING, process.execPath, fileURLToPath(import.meta.url)], {
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

  /** A session as the shell keeps it: the pid of its leader, and its start. */
  const words = new Map<number, string>();
  return {
    watch: (session) => {
      const word = `${session}:${infoOf(session)?.startedAt ?? 0}`;
      words.set(session, word);
      say(`+ ${word}`);
    },
    forget: (session) => {
      const word = words.get(session);
      if (word !== undefined && words.delete(session)) say(`- ${word}`);
    },
    close: () => {
      child?.stdin?.end();
    },
  };
}

function reap(sessions: Sessions): void {
  const guard = createGuard();
  for (const pid of membersOf(sessions, listProcesses())) {
    guard.register(pid);
    guard.signal(pid, 'SIGKILL');
  }
}

function sessionOf(word: string): [leader: number, startedAt: number] {
  const [leader = 0, startedAt = 0] = word.split(':').map(Number);
  return [leader, startedAt];
}

const [, program, flag, ...sessions] = process.argv;
if (flag === '--reap' && program === fileURLToPath(import.meta.url)) reap(new Map(sessions.map(sessionOf)));

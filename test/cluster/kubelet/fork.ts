/** Starts the programs of containers: forked by a small process (forker.ts), because this one may be large. */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, openSync, readSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Who it runs as, where the simulator is root. */
  readonly identity: Identity | undefined;
  /** false: /dev/null. */
  readonly hasInput: boolean;
}

export interface ForkRequest extends Omit<Command, 'hasInput'> {
  /** Where its answer stands in the file of answers, and what its end is called. */
  readonly index: number;
  /** Numbers of connections for its input, output and errors; 0: /dev/null. */
  readonly stdio: readonly number[];
}

/** A ChildProcess, as far as containers use it. */
export interface Program extends Pick<ChildProcess, 'pid' | 'stdin' | 'stdout' | 'stderr'> {
  readonly stdio: readonly (Readable | Writable | null | undefined)[];
  /** After `close` all of its output was read. */
  readonly on: (
    event: 'exit' | 'close',
    listener: (code: number | null, signal: NodeJS.Signals | null) => void,
  ) => unknown;
}

/** Programs that this process forks itself, before it starts another one for that: in most tests there are no more. */
const FEW = 6;
/** A longer request does not fit into a pipe at once. */
const MAX_REQUEST = 32 * 1024;
/** Bytes of an answer. */
export const ANSWER = 16;
const ANSWER_MS = 10_000;
const NOTHING = new Int32Array(new SharedArrayBuffer(4));

let programs = 0;
let forker: Forker | undefined;

/** Starts a program in a session of its own; without a pid if it cannot run. */
export function fork(command: Command): Program {
  programs++;
  if (programs > FEW) forker ??= new Forker();
  return forker?.fork(command) ?? forkHere(command);
}

function forkHere({ file, args, cwd, env, identity, hasInput }: Command): ChildProcess {
  const stdio = [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'] as const;
  // Without a pid it cannot run, which the caller reports.
  return spawn(file, args, { cwd, env, detached: true, stdio: [...stdio], ...identity }).on('error', () => {});
}

class Forker {
  readonly #process: ChildProcess;
  readonly #answers: number;
  /** Connections that are ready, by number. */
  readonly #spare = new Map<number, Socket>();
  readonly #running = new Map<number, Forked>();
  #made = 0;

  constructor() {
    // The process removes it when this one is gone.
    const directory = mkdtempSync(join(tmpdir(), 'forker-'));
    const [socketPath, answerPath] = [join(directory, 'socket'), join(directory, 'answers')];
    writeFileSync(answerPath, '');
    this.#answers = openSync(answerPath, 'r');
    const server = createServer((socket) => this.#take(socket));
    server.listen(socketPath, () => server.unref());
    server.unref();
    const program = fileURLToPath(import.meta.resolve('./forker.ts'));
    this.#process = spawn(process.execPath, [program, socketPath, answerPath], {
      // A session of its own: a signal to the simulator's group must not end it.
      detached: true,
      env: {},
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#process.unref();
    this.#process.stdin?.on('error', () => {});
    const { stdout } = this.#process;
    if (stdout === null) return;
    createInterface({ input: stdout }).on('line', (line) => this.#end(line));
    this.#rest();
    this.#process.on('exit', () => {
      server.close();
      this.#spare.clear();
      for (const index of this.#running.keys()) this.#end(JSON.stringify({ index, code: null, signal: 'SIGKILL' }));
    });
  }

  #take(socket: Socket): void {
    socket.on('error', () => {});
    void once(socket, 'data').then(([number]) => {
      socket.pause();
      socket.unref();
      this.#spare.set(Number(number), socket);
    });
  }

  /** Undefined if it has no connections left now, or the request is too long. */
  fork({ hasInput, ...command }: Command): Program | undefined {
    const ids = [...this.#spare.keys()].slice(0, hasInput ? 3 : 2);
    const stdio = hasInput ? ids : [0, ...ids];
    const index = this.#made;
    const request = JSON.stringify({ ...command, index, stdio } satisfies ForkRequest);
    if (stdio.length < 3 || request.length > MAX_REQUEST || this.#process.exitCode !== null) return undefined;
    this.#made++;
    this.#process.stdin?.write(`${request}\n`);
    const pid = this.#answer(index);
    const sockets = stdio.map((id) => {
      const socket = this.#spare.get(id) ?? null;
      this.#spare.delete(id);
      socket?.ref();
      return socket;
    });
    const forked = new Forked(pid, sockets);
    if (pid === undefined) for (const socket of sockets) socket?.destroy();
    else this.#running.set(index, forked);
    if (this.#running.size === 1) (this.#process.stdout as Socket).ref();
    return forked;
  }

  /** Waits as a fork in this process would. */
  #answer(index: number): number | undefined {
    const answer = Buffer.alloc(ANSWER);
    const end = performance.now() + ANSWER_MS;
    while (performance.now() < end) {
      readSync(this.#answers, answer, 0, ANSWER, index * ANSWER);
      const pid = Number(answer.toString('latin1'));
      if (answer[0] !== 0 && answer[ANSWER - 1] !== 0) return pid > 0 ? pid : undefined;
      Atomics.wait(NOTHING, 0, 0, 0.2);
    }
    throw new Error(`no program was forked within ${ANSWER_MS / 1000} s`);
  }

  #end(line: string): void {
    const { index, code, signal } = JSON.parse(line) as Pick<Forked, 'code' | 'signal'> & { readonly index: number };
    const forked = this.#running.get(index);
    this.#running.delete(index);
    this.#rest();
    forked?.end(code, signal);
  }

  /** Nobody waits for it while no program runs. */
  #rest(): void {
    if (this.#running.size === 0) (this.#process.stdout as Socket).unref();
  }
}

/** Emits `exit` and `close` as a ChildProcess does. */
class Forked extends EventEmitter {
  readonly pid: number | undefined;
  readonly stdio: readonly (Socket | null)[];
  readonly stdin: Socket | null;
  readonly stdout: Socket | null;
  readonly stderr: Socket | null;
  code: number | null = null;
  signal: NodeJS.Signals | null = null;
  #open: number;

  constructor(pid: number | undefined, stdio: readonly (Socket | null)[]) {
    super();
    this.pid = pid;
    this.stdio = stdio;
    const [stdin = null, stdout = null, stderr = null] = stdio;
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    const all = stdio.filter((socket) => socket !== null);
    this.#open = all.length + 1;
    for (const socket of all) {
      socket.on('close', () => this.#closed());
      // Whoever reads listens in this turn of the event loop.
      socket.resume();
    }
  }

  end(code: number | null, signal: NodeJS.Signals | null): void {
    this.code = code;
    this.signal = signal;
    // A program that has ended reads nothing more.
    this.stdin?.destroy();
    this.emit('exit', code, signal);
    this.#closed();
  }

  #closed(): void {
    this.#open--;
    if (this.#open === 0) this.emit('close', this.code, this.signal);
  }
}

/**
 * The small process that forks containers for a simulator (fork.ts). A fork takes as long as the memory of who forks is
 * large, and then a fault for each page that it writes: 30 ms with 800 MB, 2 ms here.
 */
import { type StdioOptions, spawn } from 'node:child_process';
import { openSync, rmSync, writeSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { ANSWER, type ForkRequest } from './fork.ts';

/** Connections that wait to be the input or output of a program. */
const SPARE = 16;

const [, , socketPath = '', answerPath = ''] = process.argv;
const answers = openSync(answerPath, 'r+');
const spare = new Map<number, Socket>();
let made = 0;

function connect(): void {
  const id = ++made;
  const socket = createConnection(socketPath);
  socket.on('error', () => {});
  // What comes is for the program.
  socket.pause();
  socket.write(`${id}\n`);
  spare.set(id, socket);
}

function fork({ index, file, args, cwd, env, identity, stdio }: ForkRequest): void {
  const sockets = stdio.map((id) => (id === 0 ? 'ignore' : spare.get(id)));
  const child = spawn(file, args, { cwd, env, detached: true, stdio: sockets as StdioOptions, ...identity });
  child.on('error', () => {});
  writeSync(answers, String(child.pid ?? -1).padEnd(ANSWER), index * ANSWER);
  child.on('exit', (code, signal) => process.stdout.write(`${JSON.stringify({ index, code, signal })}\n`));
  for (const id of stdio) {
    if (id === 0) continue;
    spare.get(id)?.destroy();
    spare.delete(id);
    connect();
  }
}

for (let index = 0; index < SPARE; index++) connect();
const requests = createInterface({ input: process.stdin });
requests.on('line', (line) => fork(JSON.parse(line)));
requests.on('close', () => {
  rmSync(dirname(socketPath), { recursive: true, force: true });
  process.exit();
});

/**
 * Real-time priority, so that times do not depend on what else the machine does (Linux, as root). Of each second in which
 * they need all cores, Linux gives 50 ms to other processes all the same.
 */
import { spawnSync } from 'node:child_process';
import type { Bench } from './item.ts';

const REAL_TIME = ['--rr', '10'];
const NORMAL = ['--other', '0'];

/** Of all threads of a process; what it starts later inherits it. False: it is not allowed here. */
function setPriority(pid: number, [policy = '', priority = '']: readonly string[]): boolean {
  return spawnSync('chrt', [policy, '--all-tasks', '--pid', priority, String(pid)]).status === 0;
}

/** Gives it to the benchmark's processes and those that they start, until the function that it returns is called. */
export function beginRealTime({ server, progress }: Pick<Bench, 'server' | 'progress'>): () => void {
  const pids = [process.pid, server.pid];
  const given = pids.filter((pid) => setPriority(pid, REAL_TIME));
  if (given.length < pids.length) progress('without real-time priority: a busy machine is part of what is measured');
  return () => {
    for (const pid of given) setPriority(pid, NORMAL);
  };
}

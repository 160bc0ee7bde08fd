/** What the system says of the executable's process. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Resident memory in megabytes; undefined when the process is gone. */
export function residentMegabytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}

const ESTABLISHED = '01';
const CLOSE_WAIT = '08';

/** Connections of a process to a port of this machine that are open, or that it has not closed yet. */
export function connectionsTo(pid: number, port: number): number {
  const own = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) own.add(inode);
  }
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , remote = '', state = '', , , , , , inode = '']) => {
      return remote.endsWith(`:${wanted}`) && [ESTABLISHED, CLOSE_WAIT].includes(state) && own.has(inode);
    }).length;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed in this moment.
    return '';
  }
}

/** The value in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

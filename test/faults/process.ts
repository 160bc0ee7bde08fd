/** What the system says of an executable's process. As root and as its owner alike. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errorCode } from '../../src/system/errors.ts';

export interface Sample {
  /** Resident memory. */
  readonly megabytes: number;
  /** Open file descriptors, sockets among them. */
  readonly descriptors: number;
  readonly sockets: number;
}

/** Undefined when the process has ended. Throws if the system does not let us look: nothing known is not nothing wrong. */
export function sampleOf(pid: number): Sample | undefined {
  const megabytes = residentMegabytes(pid);
  if (megabytes === undefined) return undefined;
  try {
    const links = linksOf(pid);
    return { megabytes, descriptors: links.length, sockets: links.filter((link) => link.startsWith('socket:')).length };
  } catch (error) {
    if (residentMegabytes(pid) === undefined) return undefined;
    throw error;
  }
}

/** A process that has ended and was not waited for yet has a status without memory. */
function residentMegabytes(pid: number): number | undefined {
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
  const own = new Set(linksOf(pid).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , remote = '', state = '', , , , , , inode = '']) => {
      return remote.endsWith(`:${wanted}`) && [ESTABLISHED, CLOSE_WAIT].includes(state) && own.has(inode);
    }).length;
}

/** What its file descriptors are open for. */
function linksOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => linkOf(`/proc/${pid}/fd/${fd}`) ?? []);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    // Closed in this moment.
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The value in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

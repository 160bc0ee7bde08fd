/** What the operating system says of a process (Linux). */
import { readFileSync } from 'node:fs';

/** Ticks of /proc a second. */
const TICKS = 100;
const UTIME = 11;
const STIME = 12;

/** CPU seconds of all its threads until now. */
export function cpuSeconds(pid: number): number {
  // After the name in brackets, which may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS;
}

/** Resident memory in MB (10^6 bytes): now, and the most there ever was. */
export function memory(pid: number): { readonly now: number; readonly peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { now: (kilobytes('VmRSS') * 1024) / 1e6, peak: (kilobytes('VmHWM') * 1024) / 1e6 };
}

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

/** CPU time of its main thread until now, in microseconds; /proc gives nanoseconds. */
export function mainThreadMicros(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
}

/** Resident memory in MB (10^6 bytes). */
export interface Memory {
  readonly now: number;
  /** The most there ever was. */
  readonly peak: number;
  /** What is its own now; the rest are pages of files, which all processes of a program share. */
  readonly own: number;
}

export function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024) / 1e6;
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM'), own: megabytes('RssAnon') };
}

import { readFileSync } from 'node:fs';

/** The soft limit of open files (RLIMIT_NOFILE, systemd's LimitNOFILE) of this process; undefined if it has none. */
export function openFileLimit(limits: string = readFileSync('/proc/self/limits', 'utf8')): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
}

/** Limits that the system sets to this process, and those that it sets itself. */
import { readFileSync } from 'node:fs';

/** The soft limit of open files (RLIMIT_NOFILE, systemd's LimitNOFILE) of this process; undefined if it has none. */
export function openFileLimit(limits: string = readFileSync('/proc/self/limits', 'utf8')): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
}

/**
 * The heap may double before all of it is collected, not quadruple: most of what watches leave behind is garbage soon. Set
 * while running, because a flag on the command line makes Node.js refuse its code caches, and start twice as slowly.
 */
export function limitHeapGrowth(): void {
  process.getBuiltinModule('node:v8').setFlagsFromString('--heap-growing-percent=100');
}

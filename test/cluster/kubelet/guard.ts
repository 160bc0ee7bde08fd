/**
 * The only place that signals processes. It refuses everything that could reach beyond the containers of this cluster:
 * the pids -1, 0 and 1, and every process and group that was not registered here.
 */
import { errorCode } from '../../../src/system/errors.ts';

export interface Guard {
  /** A process that was started for a container, or was found below one. */
  readonly register: (pid: number) => void;
  readonly forget: (pid: number) => void;
  /** False if the process is gone. @throws Error for a process that was not registered */
  readonly signal: (pid: number, signal: NodeJS.Signals | 0) => boolean;
}

export function createGuard(send: (pid: number, signal: NodeJS.Signals | 0) => void = process.kill): Guard {
  const registered = new Set<number>();

  function check(pid: number): void {
    if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`the guard refuses to signal pid ${pid}`);
    if (pid === process.pid || pid === process.ppid)
      throw new Error('the guard refuses to signal the simulator itself');
  }

  return {
    register: (pid) => {
      check(pid);
      registered.add(pid);
    },
    forget: (pid) => {
      registered.delete(pid);
    },
    signal: (pid, signal) => {
      check(pid);
      if (!registered.has(pid)) throw new Error(`the guard refuses to signal pid ${pid}: not a process of a container`);
      try {
        send(pid, signal);
        return true;
      } catch (error) {
        if (errorCode(error) === 'ESRCH') {
          registered.delete(pid);
          return false;
        }
        throw error;
      }
    },
  };
}

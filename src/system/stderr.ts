/** stderr as it was inherited: lines for whoever started the process, and who perhaps reads slowly, or not at all. */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';

const STDERR = 2;

/** How long the plugin waits for a full stderr, once until it takes something again. */
const PATIENCE_MS = 200;
const PAUSE_MS = 5;

/** Waits for as long as the reader takes: for commands, where that is a person. */
export function writeToStderr(line: string): void {
  put(STDERR, Buffer.from(`${line}\n`), Number.POSITIVE_INFINITY);
}

/**
 * The same for the plugin, which nobody may hold up: lines that find no room are left out and counted, and the number is
 * written when there is room. To be called before root is given up: a pipe of the launcher is opened anew here.
 */
export function openStderr(): (line: string) => void {
  const descriptor = reopenPipe() ?? STDERR;
  let rest: Buffer = Buffer.alloc(0);
  let missing = 0;
  return (line) => {
    rest = put(descriptor, rest, 0);
    if (rest.length > 0) {
      missing++;
      return;
    }
    const notice = missing === 0 ? '' : `Lines left out here, because nobody read stderr: ${missing}\n`;
    missing = 0;
    rest = put(descriptor, Buffer.from(`${notice}${line}\n`), PATIENCE_MS);
  };
}

/**
 * The pipe with an O_NONBLOCK of its own; undefined if there is none (a file, a terminal, a socket), or it is somebody
 * else's. The flag of descriptor 2 belongs to all who share it: Node.js sets it at times, and takes it back at its end.
 */
function reopenPipe(): number | undefined {
  try {
    if (!fstatSync(STDERR).isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${STDERR}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/**
 * Returns what was not taken within this time. Synchronously, so that it is there when the process ends; a thread that
 * writes instead (`fs.write`) keeps the process from ending while nobody reads. A closed stderr is nobody's business.
 */
function put(descriptor: number, bytes: Buffer, patienceMs: number): Buffer {
  const latest = performance.now() + patienceMs;
  let left = bytes;
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(descriptor, left));
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isFull) return Buffer.alloc(0);
      if (performance.now() >= latest) return left;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
  return left;
}

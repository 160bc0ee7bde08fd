/** Writes lines to the inherited stderr, even if its reader is slow or does not read at all. */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { errorCode } from './errors.ts';

const STDERR = 2;

/** How long the plugin waits for a full stderr, once until it accepts output again. */
const PATIENCE_MS = 200;
const PAUSE_MS = 5;

/** Waits for as long as the reader takes: for commands of an administrator. */
export function writeToStderr(line: string): void {
  put(STDERR, Buffer.from(`${line}\n`), Number.POSITIVE_INFINITY);
}

/**
 * The same for the plugin, which must not block: lines that a full stderr does not accept are dropped and counted, and the
 * number is written later. Call it before privileges are dropped: it opens the launcher's pipe again.
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
    const notice = missing === 0 ? '' : `Dropped ${missing} log lines here, because nobody read stderr\n`;
    missing = 0;
    rest = put(descriptor, Buffer.from(`${notice}${line}\n`), PATIENCE_MS);
  };
}

/**
 * The pipe with its own O_NONBLOCK; undefined if stderr is no pipe (a file, a terminal, a socket) or cannot be opened. The
 * flag of descriptor 2 is shared with other processes: Node.js sets it at times and resets it at exit.
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
 * Returns the bytes that were not accepted within this time. Synchronous, so that the line is written when the process
 * exits; `fs.write` would keep the process from exiting while nobody reads. A closed stderr is ignored.
 */
function put(descriptor: number, bytes: Buffer, patienceMs: number): Buffer {
  const latest = performance.now() + patienceMs;
  let left = bytes;
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(descriptor, left));
    } catch (error) {
      const isFull = errorCode(error) === 'EAGAIN';
      if (!isFull) return Buffer.alloc(0);
      if (performance.now() >= latest) return left;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
  return left;
}

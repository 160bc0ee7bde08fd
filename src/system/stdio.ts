/** stdin and stdout as streams that hold nobody up, under Node.js and Deno alike. */
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** The two ends of the conversation with whoever started the process. */
interface Stdio {
  readonly input: Readable;
  readonly output: Writable;
}

/**
 * stdin and stdout as asynchronous streams with back-pressure. A plain socket on descriptor 1 is asynchronous in every
 * runtime; `process.stdout` is not. Files and terminals, which a socket cannot be put on, get what the runtime offers.
 */
export function openStdio(): Stdio {
  return { input: process.stdin, output: openOutput() };
}

function openOutput(): Writable {
  try {
    return new Socket({ fd: 1, readable: false, writable: true });
  } catch {
    return process.stdout;
  }
}

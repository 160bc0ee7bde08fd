/** Exec: runs a command in a container over a WebSocket. */
import type { RawData, WebSocket } from 'ws';
import type { ExecResult } from '../contract.ts';
import { ANSWER_TOO_LONG, errorOfStatus, KubernetesError } from '../kubernetes-error.ts';
import { CHANNEL, type ChannelDependencies, openChannels } from './websocket.ts';

/** A command that writes more is not read to its end: its image may hold any program. */
const MOST_OUTPUT_BYTES = 1024 * 1024;

interface ExecRequest {
  /** `.../pods/NAME/exec`. */
  readonly path: string;
  readonly query: string;
  readonly maxOutputBytes: number;
  /** Aborts it and closes the connection. */
  readonly signal: AbortSignal;
}

/** Runs a command and collects its output. Needs `create` (before Kubernetes 1.31 `get`) on `pods/exec`. */
export async function exec(request: ExecRequest, dependencies: ChannelDependencies): Promise<ExecResult> {
  const { socket, authorization } = await openChannels(request, dependencies);
  const { clock, timings } = dependencies;
  const output = new BoundedOutput(request.maxOutputBytes);
  let status: unknown;
  let received = 0;
  let cancel = (): void => {};
  const frames = (frame: Buffer): void => {
    if (isStatus(frame)) {
      status = parsed(frame.subarray(1));
      // Output may follow the Status, because both are copied independently; a server may also leave the connection open.
      cancel();
      cancel = clock.after(timings.execClose, () => socket.terminate());
      return;
    }
    received += frame.length;
    if (received > MOST_OUTPUT_BYTES) socket.terminate();
    else if (frame[0] === CHANNEL.stdout || frame[0] === CHANNEL.stderr) output.add(frame.subarray(1));
  };
  const path = dependencies.transport.prefix + request.path;
  try {
    const isComplete = (): boolean => status !== undefined;
    await untilClosed(socket, { method: 'EXEC', path, signal: request.signal, frames, isComplete });
  } catch (error) {
    if (received <= MOST_OUTPUT_BYTES) throw error;
    const text = `the command wrote more than ${MOST_OUTPUT_BYTES} bytes`;
    throw new KubernetesError({
      code: 'bad-answer',
      method: 'EXEC',
      path,
      reason: ANSWER_TOO_LONG,
      text,
      cause: error,
    });
  } finally {
    cancel();
  }
  return { ...endOf(status, { method: 'EXEC', path, authorization }), output: output.text() };
}

/**
 * Reads frames of a socket from `openChannels`. Resolves when the server closed the connection regularly, or all was received
 * (`isComplete`); rejects if the connection was lost before.
 */
export function untilClosed(
  socket: WebSocket,
  options: {
    readonly method: string;
    readonly path: string;
    readonly signal: AbortSignal;
    readonly frames: (frame: Buffer) => void;
    readonly isComplete: () => boolean;
  },
): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.terminate();
      reject(signal.reason);
    };
    let failure: Error | undefined;
    socket.on('message', (data) => options.frames(bytesOf(data)));
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', (code) => {
      signal.removeEventListener('abort', onAbort);
      if (code === 1000 || options.isComplete()) {
        resolve();
        return;
      }
      const text = `the WebSocket was closed with code ${code}`;
      const { method, path } = options;
      reject(new KubernetesError({ code: 'interrupted', method, path, text, cause: failure }));
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    socket.resume();
  });
}

/** True for the server's Status; older servers also send an empty frame of that channel first. */
export function isStatus(frame: Buffer): boolean {
  return frame[0] === CHANNEL.status && frame.length > 1;
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** The first bytes of the output, decoded at the end. */
class BoundedOutput {
  readonly #limit: number;
  readonly #parts: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(bytes: Buffer): void {
    const taken = bytes.subarray(0, this.#limit - this.#length);
    if (taken.length === 0) return;
    this.#parts.push(Buffer.from(taken));
    this.#length += taken.length;
  }

  text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }
}

function parsed(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return { status: 'Failure', message: text };
  }
}

/** Exit code 0 for Success, else that of the cause ExitCode; undefined if the program did not run (kubernetes-facts.md 74). */
function endOf(status: unknown, call: Parameters<typeof errorOfStatus>[1]): Pick<ExecResult, 'exitCode' | 'message'> {
  if (status === undefined) return { exitCode: undefined, message: '' };
  if (isSuccess(status)) return { exitCode: 0, message: '' };
  const { causes, text } = errorOfStatus(status, call);
  const code = causes.find((cause) => cause.reason === 'ExitCode')?.message;
  return { exitCode: code !== undefined && /^\d{1,3}$/.test(code) ? Number(code) : undefined, message: text };
}

function isSuccess(status: unknown): boolean {
  return typeof status === 'object' && status !== null && 'status' in status && status.status === 'Success';
}

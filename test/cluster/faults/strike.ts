/**
 * How a fault is done to an answer: the response's own methods are replaced, its bytes pass through here.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ClusterClock, createTimers } from '../timers.ts';
import type { Fault } from './rules.ts';

/** Called before the request is carried out; true if it is not to be. */
export function strike(
  fault: Fault,
  socket: Socket,
  response: ServerResponse | undefined,
  clock: ClusterClock,
): boolean {
  switch (fault.type) {
    case 'answer':
      falseAnswer(fault.answer, socket, response);
      return true;
    case 'resetBeforeWork':
      cut(socket);
      return true;
    case 'resetBeforeHeaders':
      if (response === undefined) cut(socket);
      else limit(response, -1, () => cut(socket));
      return response === undefined;
    case 'resetAfterHeaders':
      if (response === undefined) cut(socket);
      else limit(response, 0, () => cut(socket));
      return response === undefined;
    case 'resetAfterBytes':
      if (response !== undefined) limit(response, fault.bytes, () => cut(socket));
      return false;
    case 'truncate':
      if (response !== undefined) limit(response, fault.bytes, (end) => end());
      return false;
    case 'stall':
      if (response !== undefined) limit(response, fault.bytes === 0 ? -1 : fault.bytes, () => {});
      return response === undefined;
    case 'slow':
      if (response !== undefined) slowDown(response, fault.bytes, fault.ms, clock);
      return false;
    case 'duplicateEvents':
    case 'delay':
      return false;
  }
}

function cut(socket: Socket): void {
  if (socket.resetAndDestroy !== undefined && !('encrypted' in socket)) socket.resetAndDestroy();
  else socket.destroy();
}

function falseAnswer(
  { status, body, contentType, headers = {} }: Extract<Fault, { type: 'answer' }>['answer'],
  socket: Socket,
  response: ServerResponse | undefined,
): void {
  const all = { 'Content-Type': contentType, 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  if (response !== undefined) {
    response.writeHead(status, all);
    response.end(body);
    return;
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status} Fault\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`);
}

type Data = string | Uint8Array;

/** Lets `bytes` of the body pass, then calls `then` once and swallows the rest; -1 lets not even the headers pass. */
function limit(response: ServerResponse, bytes: number, then: (end: () => void) => void): void {
  const writeHead = response.writeHead.bind(response);
  const write = response.write.bind(response);
  const end = response.end.bind(response);
  const flush = response.flushHeaders.bind(response);
  let left = bytes;
  let over = false;

  function finish(): void {
    if (over) return;
    over = true;
    // What was written must be on its way first, or the reset overtakes it.
    setImmediate(() => then(() => end()));
  }
  function pass(data: Data | undefined): boolean {
    if (over || data === undefined) return true;
    if (left < 0) {
      finish();
      return true;
    }
    const piece = Buffer.from(data).subarray(0, left);
    left -= piece.length;
    if (piece.length > 0) write(piece);
    if (left <= 0) finish();
    return true;
  }

  Object.assign(response, {
    writeHead: (status: number, headers: Record<string, string> = {}) => {
      const { 'Content-Length': _length, ...rest } = headers;
      if (left < 0) finish();
      else {
        writeHead(status, rest);
        flush();
        if (left === 0) finish();
      }
      return response;
    },
    flushHeaders: () => {},
    write: (data: Data) => pass(data),
    end: (data?: Data) => {
      pass(data);
      if (!over) end();
      return response;
    },
  });
}

/** Sends the body in small pieces with pauses. */
function slowDown(response: ServerResponse, bytes: number, ms: number, clock: ClusterClock): void {
  const write = response.write.bind(response);
  const end = response.end.bind(response);
  const pieces: Buffer[] = [];
  let ending = false;
  const timers = createTimers(clock);
  timers.every(ms, () => {
    const piece = pieces.shift();
    if (piece !== undefined) write(piece);
    else if (ending) {
      timers.close();
      end();
    }
  });
  response.on('close', () => timers.close());

  function queue(data: Data | undefined): void {
    const buffer = data === undefined ? Buffer.alloc(0) : Buffer.from(data);
    for (let start = 0; start < buffer.length; start += bytes) pieces.push(buffer.subarray(start, start + bytes));
  }
  Object.assign(response, {
    write: (data: Data) => {
      queue(data);
      return true;
    },
    end: (data?: Data) => {
      queue(data);
      ending = true;
      return response;
    },
  });
}

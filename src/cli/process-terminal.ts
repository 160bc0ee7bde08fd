/** The terminal of this process: stdout, stderr, questions, and the signals that end a command. */
import { createInterface } from 'node:readline/promises';
import { writeToStderr } from '../system/stderr.ts';
import { type Terminal, terminalSettings } from './terminal.ts';
import { fold } from './text-columns.ts';

interface ProcessTerminal extends Terminal {
  /** Resolves when everything was written, or when stdout was closed. */
  readonly flushed: () => Promise<void>;
}

export function processTerminal(): ProcessTerminal {
  const { stdin, stdout, stderr } = process;
  const isTerminal = stdout.isTTY === true;
  // Read anew for each use: a window can be resized while a command runs.
  const settings = (): ReturnType<typeof terminalSettings> =>
    terminalSettings(process.env, { isTerminal, columns: stdout.columns });
  const closed = new AbortController();
  stdout.on('error', () => closed.abort());
  const untilClosed = (work: (done: () => void) => void): Promise<void> =>
    new Promise((resolve) => {
      if (closed.signal.aborted) return resolve();
      closed.signal.addEventListener('abort', () => resolve(), { once: true });
      work(resolve);
    });
  return {
    write: (text) => stdout.write(text),
    say: (line) => {
      for (const part of fold(line, stderr.isTTY === true ? settings().columns : undefined)) writeToStderr(part);
    },
    pass: (bytes) => untilClosed((done) => stdout.write(bytes, () => done())),
    ask: stdin.isTTY === true && stderr.isTTY === true ? askOnTerminal : undefined,
    interrupted: () => {
      const interrupted = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
      return AbortSignal.any([interrupted.signal, closed.signal]);
    },
    get rows() {
      return isTerminal ? stdout.rows : undefined;
    },
    get columns() {
      return settings().columns;
    },
    color: settings().color,
    flushed: () => untilClosed((done) => stdout.write('', () => done())),
  };
}

/** An empty answer for the end of input. */
async function askOnTerminal(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}

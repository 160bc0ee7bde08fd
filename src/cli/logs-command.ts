/** `logs ID`: the output of a job. On a terminal its control characters are escaped; a pipe or file gets the bytes as they are. */

import type { Options } from '../config/options/options.ts';
import { JobError } from '../jobs/job-error.ts';
import { podRan } from '../jobs/view/observation.ts';
import { jobId } from '../jobs/view/projection.ts';
import type { Client } from '../kubernetes/contract.ts';
import { isNotFound } from '../kubernetes/kubernetes-error.ts';
import { escapeControls } from '../system/escape.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { connectCommand } from './command-client.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { begin, type CommandContext } from './command-session.ts';
import { findJob, noJob } from './job-detail.ts';
import { withLiveJobs } from './live-jobs.ts';
import { takeSnapshot } from './snapshot.ts';
import { clean, type Terminal } from './terminal.ts';

export const logs: Command = {
  name: 'logs',
  summary: 'Prints the output of a job.',
  about:
    'Prints what the job has written so far; with --follow, also what it writes until its end. Kubernetes keeps stdout and stderr of a container in one log, so --stdout and --stderr print both, as the launcher receives them. On a terminal, control characters of the output are escaped. Output that was deleted with its pod cannot be read. Changes nothing.',
  words: ['ID'],
  flags: [
    { name: 'follow', short: 'f', doc: 'Also print what the job writes until its end. Ctrl-C ends it earlier.' },
    { name: 'tail', value: 'N', doc: 'Print the last N lines only (at most 100000).' },
    { name: 'stdout', doc: 'Prints stdout and stderr, with a notice: Kubernetes keeps one log.' },
    { name: 'stderr', doc: 'Prints stdout and stderr, with a notice: Kubernetes keeps one log.' },
  ],
  examples: [
    ['sudo rstudio-kubernetes-launcher logs report-x7k2q9w1ab --tail 50', 'The last lines before it failed.'],
    ['sudo rstudio-kubernetes-launcher logs report-x7k2q9w1ab -f | grep -i error', 'Follow a running job.'],
  ],
  run: runLogs,
};

/** The query `stream` of a log is alpha, and needs a feature gate of API server and kubelet (kubernetes-facts.md 85). */
const ONE_LOG = 'Kubernetes keeps stdout and stderr of a container in one log; printing both.';

const MAX_TAIL = 100_000;

async function runLogs(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const [id = ''] = args.words;
  const tail = readTail(args);
  const options = await begin(args.options, context, terminal);
  if (args.flags.has('stdout') !== args.flags.has('stderr')) terminal.say(ONE_LOG);
  const signal = terminal.interrupted();
  const write = writerOf(terminal);
  try {
    if (args.flags.has('follow')) await follow(options, context, terminal, { id, tail, signal, write });
    else await printOnce(options, context, terminal, { id, tail, signal, write });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return EXIT_OK;
}

function readTail({ flags }: Arguments): number | undefined {
  const text = flags.get('tail');
  if (text === undefined) return undefined;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= MAX_TAIL))
    throw new UsageError(`logs: --tail is a number from 0 to ${MAX_TAIL}, not "${clean(text)}"`);
  return count;
}

interface Reading {
  readonly id: string;
  readonly tail: number | undefined;
  readonly signal: AbortSignal;
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

async function printOnce(
  options: Options,
  context: CommandContext,
  terminal: Terminal,
  { id, tail, signal, write }: Reading,
): Promise<void> {
  const client = connectCommand(options, context);
  try {
    const snapshot = await takeSnapshot(client, (line) => terminal.say(line), { allEvents: false });
    const { job, record } = findJob(snapshot, id);
    const view = record.pod?.present === true ? record.pod.view : undefined;
    if (view === undefined || !podRan(view)) {
      if (job.status === 'Pending') return terminal.say(`Job ${clean(id)} is Pending; it has no output yet.`);
      throw new JobError('output-not-found', `The output of job ${id} was deleted with its pod.`);
    }
    const log = readLog(client, { pod: view.name, container: view.container.name }, id, signal);
    await (tail === undefined ? copy(log, write) : copyTail(log, tail, write));
  } finally {
    await client.close();
  }
}

/** The log so far. */
async function* readLog(
  client: Client,
  subject: { readonly pod: string; readonly container: string },
  id: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* client.followLog({ ...subject, ended: AbortSignal.abort() }, signal);
  } catch (error) {
    if (isNotFound(error))
      throw new JobError('output-not-found', `The output of job ${id} was deleted with its pod.`, { cause: error });
    throw error;
  }
}

async function follow(
  options: Options,
  context: CommandContext,
  terminal: Terminal,
  { id, tail, signal, write }: Reading,
): Promise<void> {
  await withLiveJobs(options, context, terminal.say, async ({ jobs, client }) => {
    const job = jobs.list('*').find((each) => each.id === id);
    if (job === undefined) throw new JobError('job-not-found', noJob(id, client.namespace));
    if (job.status === 'Pending') terminal.say(`Job ${clean(id)} is Pending; waiting for its output.`);
    const output = jobs.output(id, '*', signal);
    const pod = tail === undefined ? undefined : await runningPod(client, id, signal);
    if (tail === undefined || pod === undefined) return copy(output, write);
    // The log so far is read first, for its last lines; the followed log is the same from its beginning.
    const printed = await copyTail(readLog(client, pod, id, signal), tail, write);
    await copy(skip(output, printed), write);
  });
}

/** The pod of a job that has started, and the container in it. */
async function runningPod(client: Client, id: string, signal: AbortSignal) {
  signal.throwIfAborted();
  const snapshot = await takeSnapshot(client, () => {}, { allEvents: false });
  const pod = snapshot.repository.get(jobId(id))?.pod;
  return pod?.present === true && podRan(pod.view)
    ? { pod: pod.view.name, container: pod.view.container.name }
    : undefined;
}

async function copy(chunks: AsyncIterable<Uint8Array>, write: Reading['write']): Promise<void> {
  for await (const chunk of chunks) await write(chunk);
}

/** Without the first bytes. */
async function* skip(chunks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of chunks) {
    if (chunk.length > left) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** Bytes of lines that are kept for --tail. */
const MAX_TAIL_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/** Writes the last lines; resolves with the number of bytes that were read. */
async function copyTail(chunks: AsyncIterable<Uint8Array>, count: number, write: Reading['write']): Promise<number> {
  let kept: Uint8Array[] = [];
  let bytes = 0;
  let read = 0;
  let lines = 0;
  const trim = (): void => {
    const all = Buffer.concat(kept);
    const last = lastLines(all.subarray(Math.max(0, all.length - MAX_TAIL_BYTES)), count);
    kept = [Buffer.from(last)];
    bytes = last.length;
    lines = count;
  };
  for await (const chunk of chunks) {
    kept.push(Buffer.from(chunk));
    read += chunk.length;
    bytes += chunk.length;
    for (const byte of chunk) if (byte === NEWLINE) lines++;
    // Trimming copies what is kept, so it waits until there is twice as much as needed.
    if (lines > 2 * count + 1_000 || bytes > 2 * MAX_TAIL_BYTES) trim();
  }
  trim();
  await copy(asyncOf(kept), write);
  return read;
}

async function* asyncOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks.filter(({ length }) => length > 0);
}

/** The end of the text with at most `count` lines; a last line without a newline counts. */
function lastLines(text: Buffer, count: number): Buffer {
  let end = text.length - (text.at(-1) === NEWLINE ? 1 : 0);
  for (let line = 1; line <= count; line++) {
    const newline = end === 0 ? -1 : text.lastIndexOf(NEWLINE, end - 1);
    if (newline < 0) return text;
    if (line === count) return text.subarray(newline + 1);
    end = newline;
  }
  return text.subarray(text.length);
}

/** Escapes control characters where a terminal would obey them; tabs and line ends stay. */
function writerOf(terminal: Terminal): Reading['write'] {
  if (terminal.rows === undefined) return terminal.pass;
  const decoder = new TextDecoder('utf-8');
  return async (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    await terminal.pass(
      Buffer.from(
        text
          .split(/(\r?\n|\t)/)
          .map((part, index) => (index % 2 === 0 ? escapeControls(part) : part))
          .join(''),
      ),
    );
  };
}

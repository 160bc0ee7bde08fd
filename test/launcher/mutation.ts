/**
 * Messages of a hostile or broken launcher: valid ones of every type, changed at random, held against what must be true
 * of every conversation. Used with a few thousand messages by `npm test`, with many more by `npm run test:long`.
 */
import fc from 'fast-check';
import { BrokenFrameError } from '../../src/launcher/frames.ts';
import { parseRequest } from '../../src/launcher/requests.ts';
import { aJob, createFakeJobs, type FakeJobs } from './fake-jobs.ts';
import { type Launcher, settle, startLauncher } from './harness.ts';
import { type JsonObject, makeText, mutant } from './mutants.ts';

/** The id that an answer must carry, as text; undefined where there is nobody to answer. Knows the protocol, not the code. */
function answerableId(text: string, message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return undefined;
  const { messageType, requestId, cancel, jobId } = message as JsonObject;
  if (typeof requestId !== 'number' || !Number.isInteger(requestId) || requestId <= 0) return undefined;
  if ([4, 6, 7].includes(messageType as number) && cancel === true) return undefined;
  if (messageType === 0 || (messageType === 4 && jobId === '*')) return undefined;
  if (Number.isSafeInteger(requestId)) return String(requestId);
  // Digits are looked for in the text; where that leaves a doubt, nothing is expected.
  const written = [...text.matchAll(/"requestId":(\d{16,20})(?!\d)/g)].map(([, digits = '']) => digits);
  const [digits, ...more] = new Set(written.filter((digits) => Number(digits) === requestId));
  return digits !== undefined && more.length === 0 && BigInt(digits) < 2n ** 64n ? digits : undefined;
}

interface Summary {
  readonly messages: number;
  /** Bodies that were no JSON; each would have ended the process with exit code 1. */
  readonly notJson: number;
  /** Messages with nobody to answer to, and cancels. */
  readonly silent: number;
  readonly answered: number;
  /** Of the answers, how many of each errorCode. */
  readonly errors: Readonly<Record<string, number>>;
  readonly heapMegabytes: readonly number[];
}

const BATCH = 50;
const PER_SESSION = 5000;

function scriptedJobs(): FakeJobs {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1', user: 'alice', status: 'Running' });
  jobs.outputOf('job-1').push('text');
  jobs.outputOf('job-1').end();
  jobs.usageOf('job-1').push({ cpuPercent: 1 });
  jobs.usageOf('job-1').end();
  jobs.on.submit = async (request) => aJob({ ...request, id: 'job-2' });
  return jobs;
}

/** Throws with the offending message if anything is not as it must be. `heap` measures after each session. */
export async function runMutations(count: number, seed: number, heap = (): number => 0): Promise<Summary> {
  const errors: Record<string, number> = {};
  const heapMegabytes: number[] = [];
  let notJson = 0;
  let silent = 0;
  let answered = 0;

  for (let done = 0; done < count; ) {
    const jobs = scriptedJobs();
    const launcher = await startLauncher({ jobs });
    let nextResponseId = 1;
    const inSession = Math.min(PER_SESSION, count - done);
    for (let sent = 0; sent < inSession; ) {
      const size = Math.min(BATCH, inSession - sent);
      const texts = fc
        .sample(mutant, { numRuns: size, seed: seed + done + sent })
        .map((made, index) => makeText(1000 + sent + index, made));
      const expected = new Map<string, string>();
      for (const text of texts) {
        const message = parsedOrUndefined(text);
        if (message === undefined) {
          notJson++;
          mustBreak(text);
          continue;
        }
        const id = answerableId(text, message.value);
        if (id === undefined) {
          silent++;
          // A stream that is canceled at once may end before its first answer.
          const canceled = (message.value as JsonObject | null)?.['requestId'];
          if (typeof canceled === 'number') expected.delete(String(canceled));
        } else expected.set(id, text);
        launcher.sendText(text);
      }
      const answers = await quiet(launcher);
      for (const answer of answers) {
        const { messageType, responseId, errorCode } = JSON.parse(answer) as JsonObject;
        const counted = ![-1, 0, 203].includes(messageType as number);
        if (responseId !== (counted ? nextResponseId : 0))
          throw new Error(`responseId is not ${nextResponseId}: ${answer}`);
        if (counted) nextResponseId++;
        if (messageType === -1) errors[String(errorCode)] = (errors[String(errorCode)] ?? 0) + 1;
        const served = [...answer.matchAll(/"requestId":(\d+)/g)].map(([, id = '']) => id);
        for (const id of served) if (expected.delete(id)) answered++;
      }
      const [unanswered] = expected.values();
      if (unanswered !== undefined) throw new Error(`not answered: ${unanswered.slice(0, 2000)}`);
      sent += size;
    }
    done += inSession;
    await launcher.end();
    if (jobs.reading() !== 0) throw new Error('a stream was left open');
    heapMegabytes.push(heap());
  }
  return { messages: count, notJson, silent, answered, errors, heapMegabytes };
}

function parsedOrUndefined(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(Buffer.from(text).toString()) };
  } catch {
    return undefined;
  }
}

/** A message that exceeds a limit is refused without being parsed. */
function mustBreak(text: string): void {
  try {
    const parsed = parseRequest(Buffer.from(text));
    if (parsed.outcome === 'dropped') return;
    if (parsed.outcome === 'refused' && parsed.message.startsWith('the message is refused: ')) return;
  } catch (error) {
    if (error instanceof BrokenFrameError) return;
    throw error;
  }
  throw new Error(`taken for JSON: ${text.slice(0, 2000)}`);
}

/** Everything that came until nothing more comes. */
async function quiet(launcher: Launcher): Promise<string[]> {
  const all: string[] = [];
  for (let more = await launcher.texts(); more.length > 0; more = await launcher.texts()) all.push(...more);
  await settle();
  return [...all, ...(await launcher.texts())];
}

/**
 * Ours: what it costs the main thread to hold many jobs: the longest pause during rounds of upkeep, then the changes of one
 * job with many output streams.
 */
import { systemClock } from '../../../src/system/clock.ts';
import { benchClient, benchJobs } from './ours.ts';
import { done, ready, taskOf } from './talk.ts';

/** Instead of 5 s, so that there are many rounds in a short time. */
const ROUND_MS = 250;
const ROUNDS = 8;
const ROUNDS_OF_THE_START = 4;
const UPKEEP_MS = 5_000;

const { url, count, parallel } = taskOf();
const life = new AbortController().signal;
let isFast = true;
let rounds = 0;
const clock = {
  ...systemClock,
  after: (ms: number, run: () => void) => {
    if (ms !== UPKEEP_MS || !isFast) return systemClock.after(ms, run);
    rounds++;
    return systemClock.after(ROUND_MS, run);
  },
};
/** Logs that never have anything. */
const client = {
  ...benchClient(url),
  followLog: async function* (_: unknown, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    yield new Uint8Array();
  },
};
const jobs = benchJobs(client, clock);

/** Milliseconds of CPU of this thread. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The most that the thread works before the event loop goes on with something else. */
async function longestPause(): Promise<number> {
  // What a start loads after the lists is over after some rounds.
  const first = rounds + ROUNDS_OF_THE_START;
  while (rounds < first) await new Promise((resolve) => setImmediate(resolve));
  const last = rounds + ROUNDS;
  let longest = 0;
  for (let before = threadMs(); rounds < last; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = threadMs();
    longest = Math.max(longest, now - before);
    before = now;
  }
  return longest;
}

async function run(): Promise<void> {
  void jobs.run(life);
  await jobs.synced(life);
  const [first] = jobs.list('*');
  const pause = await longestPause();
  isFast = false;
  for (let index = 0; index < parallel; index++) {
    void jobs
      .output(first?.id ?? '', '*', life)
      [Symbol.asyncIterator]()
      .next();
  }
  let seen = 0;
  let before = 0;
  jobs.onChange(() => {
    if (++seen < count) return;
    done({ pause, rounds, seen, micros: ((threadMs() - before) / count) * 1000 });
  });
  // After the streams have opened.
  setTimeout(() => {
    before = threadMs();
    ready();
  }, 1_000);
}

void run();

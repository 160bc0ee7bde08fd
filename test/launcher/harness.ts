/** A launcher for tests: a session on streams in memory, a clock that the test turns, and what a launcher asks for. */
import { PassThrough } from 'node:stream';
import { FrameReader } from '../../src/launcher/frames.ts';
import {
  createLauncherSession,
  type LauncherSession,
  type LauncherSessionOptions,
} from '../../src/launcher/session.ts';
import type { Clock } from '../../src/system/clock.ts';
import { type Log, silentLog } from '../../src/system/log.ts';
import { encodeFrameBody } from '../support/plugin.ts';
import { createFakeJobs, type FakeJobs } from './fake-jobs.ts';

export type Message = Readonly<Record<string, unknown>>;

/** Time that moves only in `advance`; timers run in order. */
interface TestClock extends Clock {
  readonly advance: (ms: number) => Promise<void>;
}

function createTestClock(): TestClock {
  let now = 0;
  const timers = new Set<{ at: number; run: () => void }>();
  return {
    now: () => now,
    monotonic: () => now,
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: async (ms) => {
      await settle();
      const until = now + ms;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = next.at;
        next.run();
        await settle();
      }
      now = until;
      await settle();
    },
  };
}

/** Lets everything that can go on without time or input go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Launcher {
  readonly jobs: FakeJobs;
  readonly clock: TestClock;
  readonly session: LauncherSession;
  readonly input: PassThrough;
  readonly output: PassThrough;
  readonly send: (...messages: Message[]) => void;
  /** A body as it is, in a frame. */
  readonly sendText: (body: string) => void;
  /** All frames that came since the last call, as text. */
  readonly texts: () => Promise<string[]>;
  /** All messages that came since the last call. */
  readonly received: () => Promise<Message[]>;
  /** Sends, and returns what comes back. */
  readonly ask: (...messages: Message[]) => Promise<Message[]>;
  /** Stops and goes on reading what the session writes. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly end: () => Promise<void>;
}

interface LauncherOptions extends Partial<Omit<LauncherSessionOptions, 'jobs' | 'clock' | 'input' | 'output'>> {
  readonly input?: PassThrough;
  readonly jobs?: FakeJobs;
  /** Version to say in a Bootstrap at once; null: none is sent. Default 3.10.0. */
  readonly version?: string | null;
}

/** A session with jobs that a test scripts; already through Bootstrap. */
export async function startLauncher(options: LauncherOptions = {}): Promise<Launcher> {
  const { version = '3.10.0', input = new PassThrough(), ...others } = options;
  const jobs = options.jobs ?? createFakeJobs();
  const clock = createTestClock();
  const output = new PassThrough({ highWaterMark: 16 * 1024 });
  const session = createLauncherSession({
    input,
    output,
    clock,
    log: silentLog,
    heartbeatIntervalSeconds: 0,
    maxMessageSize: 5242880,
    metricsIntervalSeconds: 0,
    reload: async () => ({ errorType: 0, errorMessage: '', applied: [], pendingRestart: [] }),
    metrics: () => ({ uptimeSeconds: 1, memoryUsageBytes: 2 }),
    ...others,
    jobs,
  });
  const frames: string[] = [];
  const reader = new FrameReader(2 ** 31);
  output.on('data', (bytes: Buffer) => {
    for (const body of reader.push(bytes)) frames.push(body.toString());
  });
  const texts = async (): Promise<string[]> => {
    await settle();
    return frames.splice(0);
  };
  const received = async (): Promise<Message[]> => (await texts()).map((text) => JSON.parse(text) as Message);
  const sendText = (body: string): void => {
    input.write(encodeFrameBody(body));
  };
  const send = (...messages: Message[]): void => {
    for (const message of messages) sendText(JSON.stringify(message));
  };
  const launcher: Launcher = {
    jobs,
    clock,
    session,
    input,
    output,
    send,
    sendText,
    texts,
    received,
    ask: async (...messages) => {
      send(...messages);
      return received();
    },
    pause: () => output.pause(),
    resume: () => output.resume(),
    end: async () => {
      session.close();
      await clock.advance(5000);
      await session.done;
    },
  };
  if (version !== null) {
    const [major, minor, patch] = version.split('.').map(Number);
    await launcher.ask({ messageType: 1, requestId: 0, version: { major, minor, patch } });
  }
  return launcher;
}

/** Of a request that names a job: who asks, and for which one. */
export const on = (jobId: string, username = 'alice') => ({
  username,
  requestUsername: username,
  jobId,
  encodedJobId: '',
});

/** The requests for the three streams, and what ends one of them. */
export const status = (requestId: number, jobId: string, username?: string): Message => ({
  messageType: 4,
  requestId,
  ...on(jobId, username),
});
export const output = (requestId: number, jobId: string, more: Message = {}): Message => ({
  messageType: 6,
  requestId,
  ...on(jobId),
  cancel: false,
  ...more,
});
export const usage = (requestId: number, jobId: string, username?: string): Message => ({
  messageType: 7,
  requestId,
  ...on(jobId, username),
  cancel: false,
});
export const cancel = (messageType: number, requestId: number): Message => ({
  messageType,
  requestId,
  ...on('any'),
  cancel: true,
});

/** Requests one job, or all. */
export const list = (requestId: number, jobId = '*'): Message => ({ messageType: 3, requestId, ...on(jobId) });

/** Requests the network of a job: the domain may hold back its answer. */
export const network = (requestId: number, username = 'alice', jobId = 'job-1'): Message => ({
  messageType: 8,
  requestId,
  ...on(jobId, username),
});

/** Remembers what was logged, as `LEVEL sentence`; DEBUG lines, one for each message, are left out. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const write = (level: string) => (sentence: string) => {
    lines.push(`${level} ${sentence}`);
  };
  return {
    lines,
    error: write('ERROR'),
    warning: write('WARNING'),
    info: write('INFO'),
    debug: () => {},
    notice: write('NOTICE'),
  };
}

/**
 * The launcher's side of the conversation, as a client: requests with answers, the three kinds of streams. Tests, the
 * tour, the console and the benchmark speak through it; it knows the protocol from its description only.
 */

/** A frame in either direction. */
export interface Frame {
  readonly messageType: number;
  readonly requestId: number;
  readonly [member: string]: unknown;
}

/** What carries frames: the pipes of a child process, say. */
export interface Wire {
  readonly send: (frame: Frame) => void;
  /** Returns what ends the subscription. */
  readonly onFrame: (listener: (frame: Frame) => void) => () => void;
  /** Resolves with a sentence when no more frames can come. */
  readonly ended: Promise<string>;
}

/** An Error answer (messageType -1). */
export class LauncherError extends Error {
  override readonly name = 'LauncherError';
  readonly errorCode: number;

  constructor(errorCode: number, message: string) {
    super(`Error ${errorCode}: ${message}`);
    this.errorCode = errorCode;
  }
}

/** A job as the protocol shows it; only the fields that callers read are listed. */
export interface JobFrame {
  readonly id: string;
  readonly name: string;
  readonly user: string;
  readonly status: string;
  readonly statusMessage?: string;
  readonly statusCode?: string;
  readonly exitCode?: number;
  readonly submissionTime?: string;
  readonly [member: string]: unknown;
}

export interface StatusFrame {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly statusMessage: string;
  readonly statusCode: string;
  readonly seqId: number;
}

interface Stream {
  /** Sends the cancel; nothing is delivered afterwards. */
  readonly cancel: () => void;
}

/** A stream that ends by itself: with the number of its last frame, or with a LauncherError. */
interface EndingStream extends Stream {
  readonly completed: Promise<number>;
}

const OPERATIONS = { suspend: 0, resume: 1, stop: 2, kill: 3, cancel: 4 } as const;

export interface Launcher {
  /** Sends any request under the next id and gives its answer; rejects with LauncherError, or after the deadline. */
  readonly request: (messageType: number, fields: Record<string, unknown>) => Promise<Frame>;
  readonly bootstrap: (version?: { major: number; minor: number; patch: number }) => Promise<Frame>;
  readonly submit: (user: string, job: Record<string, unknown>) => Promise<JobFrame>;
  readonly jobs: (user: string, filter?: Record<string, unknown>) => Promise<readonly JobFrame[]>;
  readonly job: (user: string, id: string) => Promise<JobFrame>;
  readonly control: (
    user: string,
    id: string,
    operation: keyof typeof OPERATIONS,
  ) => Promise<{ complete: boolean; message: string }>;
  readonly network: (user: string, id: string) => Promise<{ host: string; ipAddresses: readonly string[] }>;
  readonly clusterInfo: (user: string) => Promise<Frame>;
  readonly status: (
    user: string,
    id: string,
    onStatus: (status: StatusFrame) => void,
    onError?: (error: Error) => void,
  ) => Stream;
  readonly output: (user: string, id: string, onText: (text: string) => void, outputType?: number) => EndingStream;
  readonly usage: (user: string, id: string, onUsage: (frame: Frame) => void) => EndingStream;
}

/** Takes what comes for one request. */
interface Taker {
  readonly take: (frame: Frame, seqId: number) => void;
  /** An Error frame. */
  readonly fail: (error: Error) => void;
  /** No more frames can come, because of this. */
  readonly end?: (why: string) => void;
}

const CANCELABLE = { status: 4, output: 6, usage: 7 } as const;

/** `deadlineMs` bounds every request; streams have no deadline of their own. */
export function createLauncher(wire: Wire, deadlineMs = 120_000): Launcher {
  let lastId = 0;
  const userFields = (user: string): Record<string, unknown> => ({ username: user, requestUsername: user });

  function send(requestId: number, messageType: number, fields: Record<string, unknown>): void {
    wire.send({ messageType, requestId, ...fields });
  }

  const takers = new Map<number, Taker>();
  let whyEnded: string | undefined;
  wire.onFrame((frame) => {
    if (frame.messageType === 0 || frame.messageType === 203) return;
    const sequences = Array.isArray(frame['sequences']) ? (frame['sequences'] as readonly Frame[]) : [frame];
    for (const { requestId, seqId } of sequences) {
      const taker = takers.get(requestId);
      if (frame.messageType === -1) {
        taker?.fail(new LauncherError(Number(frame['errorCode']), String(frame['errorMessage'])));
      } else {
        taker?.take(frame, Number(seqId ?? 0));
      }
    }
  });
  void wire.ended.then((why) => {
    whyEnded = why;
    for (const { end } of takers.values()) end?.(why);
  });

  /** Gives `taker` all frames for the request, as long as it is one of `takers`. */
  function listen(requestId: number, taker: Taker): void {
    takers.set(requestId, taker);
    if (whyEnded !== undefined) taker.end?.(whyEnded);
  }

  function ask(requestId: number, messageType: number, fields: Record<string, unknown>): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        takers.delete(requestId);
      };
      const fail = (error: Error): void => {
        end();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new Error(`no answer to message ${messageType} within ${deadlineMs / 1000} s`)),
        deadlineMs,
      );
      listen(requestId, {
        take: (frame) => {
          end();
          resolve(frame);
        },
        fail,
        end: (why) => fail(new Error(`no answer to message ${messageType}: ${why}`)),
      });
      send(requestId, messageType, fields);
    });
  }

  function stream(
    kind: keyof typeof CANCELABLE,
    user: string,
    jobId: string,
    fields: Record<string, unknown>,
    taker: Taker,
  ): { requestId: number; stop: () => void; cancel: () => void } {
    const requestId = ++lastId;
    const request = { ...userFields(user), jobId, encodedJobId: '', ...fields };
    const stop = (): void => void takers.delete(requestId);
    listen(requestId, taker);
    send(requestId, CANCELABLE[kind], { ...request, cancel: false });
    return {
      requestId,
      stop,
      cancel: () => {
        stop();
        send(requestId, CANCELABLE[kind], { ...request, cancel: true });
      },
    };
  }

  function endingStream(
    kind: 'output' | 'usage',
    user: string,
    jobId: string,
    fields: Record<string, unknown>,
    take: (frame: Frame) => void,
  ): EndingStream {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    promise.catch(() => undefined);
    const open = stream(kind, user, jobId, fields, {
      take: (frame, seqId) => {
        if (frame['complete'] === true) {
          open.stop();
          resolve(seqId);
        } else {
          take(frame);
        }
      },
      fail: (error) => {
        open.stop();
        reject(error);
      },
      end: (why) => reject(new Error(`the stream ended: ${why}`)),
    });
    return { cancel: open.cancel, completed: promise };
  }

  const request: Launcher['request'] = (messageType, fields) => ask(++lastId, messageType, fields);
  const jobs: Launcher['jobs'] = async (user, filter = {}) => {
    const answer = await request(3, { ...userFields(user), jobId: '*', encodedJobId: '', ...filter });
    return answer['jobs'] as readonly JobFrame[];
  };
  return {
    request,
    bootstrap: (version = { major: 3, minor: 10, patch: 0 }) => ask(0, 1, { version }),
    submit: async (user, job) => {
      const answer = await request(2, { ...userFields(user), job: { user, ...job } });
      return (answer['jobs'] as readonly [JobFrame])[0];
    },
    jobs,
    job: async (user, id) => {
      const [found] = await jobs(user, { jobId: id });
      if (found === undefined) throw new Error(`an answer without the job ${id}`);
      return found;
    },
    control: async (user, id, operation) => {
      const answer = await request(5, {
        ...userFields(user),
        jobId: id,
        encodedJobId: '',
        operation: OPERATIONS[operation],
      });
      return { complete: answer['operationComplete'] === true, message: String(answer['statusMessage']) };
    },
    network: async (user, id) => {
      const answer = await request(8, { ...userFields(user), jobId: id, encodedJobId: '' });
      return { host: String(answer['host']), ipAddresses: answer['ipAddresses'] as readonly string[] };
    },
    clusterInfo: (user) => request(9, userFields(user)),
    status: (user, id, onStatus, onError) => {
      const open = stream(
        'status',
        user,
        id,
        {},
        {
          take: (frame, seqId) =>
            onStatus({
              id: String(frame['id']),
              name: String(frame['name']),
              status: String(frame['status']),
              statusMessage: String(frame['statusMessage'] ?? ''),
              statusCode: String(frame['statusCode'] ?? ''),
              seqId,
            }),
          fail: (error) => {
            open.stop();
            onError?.(error);
          },
        },
      );
      return { cancel: open.cancel };
    },
    output: (user, id, onText, outputType = 2) =>
      endingStream('output', user, id, { outputType }, (frame) => onText(String(frame['output'] ?? ''))),
    usage: (user, id, onUsage) => endingStream('usage', user, id, {}, onUsage),
  };
}

/** Every span of time that the client keeps to, in milliseconds. Tests shorten them. */
export interface Timings {
  /** A TCP and TLS connection is made within this. */
  readonly connect: number;
  /** TCP keep-alive of every connection; load balancers cut idle ones after 4 to 6 minutes. */
  readonly keepAlive: number;
  /** How long an unused connection is kept for the next call. */
  readonly idleConnection: number;
  /** A watch's answer begins within this. */
  readonly watchHeaders: number;
  /** A watch may be silent for the time asked of the server and this much more. */
  readonly watchGrace: number;
  /** The same where the server was not asked to end the watch. */
  readonly watchIdle: number;
  /** Without event or bookmark for this long: list again (kubernetes-facts.md 101). Not for kinds whose watches have no bookmarks. */
  readonly watchSilence: number;
  /** A watch that ends sooner than this without a line has failed. */
  readonly watchTooShort: number;
  /** A full list at least this often, whatever the watch says. */
  readonly relist: number;
  /** First and longest pause between failures, and the quiet time after which it begins anew. */
  readonly backoffFirst: number;
  readonly backoffLongest: number;
  readonly backoffReset: number;
  /** The same for calls, which have a deadline of their own. */
  readonly retryFirst: number;
  readonly retryLongest: number;
  /** For how long a server that refuses connections, or has no address, is tried again: at most until the deadline. */
  readonly retryNotReached: number;
  /** A follow that is silent for this long is opened anew. */
  readonly followSilence: number;
  /** A follow that is silent for this long after its container has ended is given up; the rest is read without it. */
  readonly followAfterEnd: number;
  /** First and longest pause between looks at a log that is not there yet. */
  readonly logWaitFirst: number;
  readonly logWaitLongest: number;
  /** How often a log is read where following it fails, and how long until following is tried again. */
  readonly logPoll: number;
  readonly logPollOnly: number;
  /** A log that still cannot be read this long after its container has ended is given up. */
  readonly logGiveUp: number;
  /** A log that is refused for so long may not be read. */
  readonly logRefused: number;
}

/** engineering-notes.md section 6, kubernetes-objects.md section 7. */
export const TIMINGS: Timings = {
  connect: 10_000,
  keepAlive: 30_000,
  idleConnection: 60_000,
  watchHeaders: 30_000,
  watchGrace: 30_000,
  watchIdle: 330_000,
  watchSilence: 90_000,
  watchTooShort: 1_000,
  relist: 30 * 60_000,
  backoffFirst: 800,
  backoffLongest: 30_000,
  backoffReset: 120_000,
  retryFirst: 200,
  retryLongest: 5_000,
  retryNotReached: Number.POSITIVE_INFINITY,
  followSilence: 300_000,
  followAfterEnd: 5_000,
  logWaitFirst: 250,
  logWaitLongest: 5_000,
  logPoll: 2_000,
  logPollOnly: 60_000,
  logGiveUp: 60_000,
  logRefused: 15_000,
};

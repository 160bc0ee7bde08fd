/** Durations of the client in milliseconds, with their defaults; tests shorten them. */
export interface Timings {
  /** Deadline of a TCP and TLS connection. */
  readonly connect: number;
  /**
   * Idle time before TCP keep-alive probes; load balancers drop idle connections after 4 to 6 minutes. Node.js
   * sends ten probes, one each second, so that a dead connection is closed within 15 s.
   */
  readonly keepAlive: number;
  /** An unused connection is closed after this time. */
  readonly idleConnection: number;
  /** Deadline of the headers of a watch. */
  readonly watchHeaders: number;
  /** Added to the requested duration of a watch; a watch that is silent for longer is opened again. */
  readonly watchGrace: number;
  /** The same for a watch without a requested duration. */
  readonly watchIdle: number;
  /** A list follows after this time without event or bookmark (kubernetes-facts.md 101). Not for kinds without bookmarks. */
  readonly watchSilence: number;
  /** A watch shows the version in the answer of a call within this time; checked at most twice as late. */
  readonly watchLag: number;
  /** A watch that ends earlier than this without an event has failed. */
  readonly watchTooShort: number;
  /** Interval of the lists that check the watch. */
  readonly relist: number;
  /** First and longest pause after failures, and the time without failures that resets it. */
  readonly backoffFirst: number;
  readonly backoffLongest: number;
  readonly backoffReset: number;
  /** The same for calls. */
  readonly retryFirst: number;
  readonly retryLongest: number;
  /** How long refused connections and failed name lookups are retried, within the deadline. */
  readonly retryNotReached: number;
  /** After the Status of exec the server has this time to close the connection. */
  readonly execClose: number;
  /** A follow that is silent for this time is opened again. */
  readonly followSilence: number;
  /** A follow that is silent for this time after the container ended is closed; the rest of the log is read without follow. */
  readonly followAfterEnd: number;
  /** First and longest pause between attempts to read a log that does not exist yet. */
  readonly logWaitFirst: number;
  readonly logWaitLongest: number;
  /** Interval of reading a log where follow fails, and the time until follow is tried again. */
  readonly logPoll: number;
  readonly logPollOnly: number;
  /** Reading the log of an ended container fails after errors for this time. */
  readonly logGiveUp: number;
  /** Reading a log fails after it was forbidden for this time. */
  readonly logRefused: number;
}

/** engineering-notes.md section 6, kubernetes-objects.md section 7. */
export const TIMINGS: Timings = {
  connect: 10_000,
  keepAlive: 4_000,
  idleConnection: 60_000,
  watchHeaders: 30_000,
  watchGrace: 30_000,
  watchIdle: 330_000,
  watchSilence: 90_000,
  watchLag: 7_000,
  watchTooShort: 1_000,
  relist: 30 * 60_000,
  backoffFirst: 800,
  backoffLongest: 30_000,
  backoffReset: 120_000,
  retryFirst: 200,
  retryLongest: 5_000,
  retryNotReached: Number.POSITIVE_INFINITY,
  execClose: 1_000,
  followSilence: 300_000,
  followAfterEnd: 5_000,
  logWaitFirst: 250,
  logWaitLongest: 5_000,
  logPoll: 2_000,
  logPollOnly: 60_000,
  logGiveUp: 60_000,
  logRefused: 15_000,
};

/**
 * Limits of one session with the launcher, whatever a user or a broken launcher sends (architecture.md section 4).
 */

/**
 * Requests that wait for the API server at a time; others wait in the queue of their user. With the reserve (shares.ts) they
 * are 60, fewer than the client's connections.
 */
export const MAX_REQUESTS_IN_PROGRESS = 48;

/** Requests that were accepted and are not answered yet, in progress or queued. */
export const MAX_REQUESTS_ACCEPTED = 10_000;

/** Memory of those requests: the bytes of their frames, and these for each JSON value, which V8 keeps as an object. */
export const MAX_BYTES_ACCEPTED = 64 * 1024 * 1024;
export const BYTES_OF_A_VALUE = 64;

/** Answers that wait for the launcher to read; beyond, no request is read. */
export const MAX_ANSWERS_WAITING = 10_000;

/** Output streams at a time; each may hold a connection. */
export const MAX_OUTPUT_STREAMS = 1000;

/** Output streams that open a connection at a time. */
export const MAX_STREAMS_OPENING = 16;

/** After this time without output another stream may open its connection. */
export const STREAM_OPEN_MS = 250;

/** Status streams, and resource usage streams, at a time: they cost memory only. */
export const MAX_SUBSCRIPTIONS = 10_000;

/** Sequences of one message: more would keep the messages of other users waiting. */
export const MAX_SEQUENCES = 1_000;

/** Milliseconds within which each request is answered, whatever the API server does. */
export const ANSWER_WITHIN_MS = 30_000;

/** Milliseconds that Bootstrap, and requests that arrive before the first list of jobs, wait for that list. */
export const SYNC_WITHIN_MS = 10_000;

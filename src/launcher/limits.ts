/**
 * Limits that a hostile or broken launcher meets (architecture.md section 4).
 */

/** Requests in progress at a time; others wait their turn. */
export const MAX_REQUESTS_IN_PROGRESS = 256;

/** Requests that were read and not answered yet, in progress or waiting; beyond, nothing more is read. */
export const MAX_REQUESTS_ACCEPTED = 10_000;

/** Bytes of those requests as they arrived; beyond, nothing more is read. */
export const MAX_BYTES_ACCEPTED = 64 * 1024 * 1024;

/** Output streams at a time; each may hold a connection. */
export const MAX_OUTPUT_STREAMS = 1000;

/** Status subscriptions, and subscriptions to resource use, at a time: they only cost memory. */
export const MAX_SUBSCRIPTIONS = 10_000;

/** Milliseconds within which each request is answered, whatever the API server does. */
export const ANSWER_WITHIN_MS = 30_000;

/** Milliseconds that Bootstrap, and requests that come before the first sync, wait for it. */
export const SYNC_WITHIN_MS = 10_000;

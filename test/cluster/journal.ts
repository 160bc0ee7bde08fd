/**
 * What really happened in the cluster, whatever a client was told: the oracle of tests with faults.
 */
import { createHash } from 'node:crypto';

interface ObjectEntry {
  readonly at: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ProcessEntry {
  readonly pod: string;
  readonly podUid: string;
  readonly container: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Set when it has ended. */
  endedAt?: number;
  /** Exit code, 128 + n for a signal. */
  exitCode?: number;
}

export interface OutputEntry {
  readonly pod: string;
  readonly podUid: string;
  readonly container: string;
  bytes: number;
  /** SHA-256 of all bytes so far, hexadecimal. CR before LF is dropped by the runtime and not counted (kubernetes-facts.md 92). */
  sha256: string;
}

export interface RequestEntry {
  readonly at: number;
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly user: string;
  /** The answer's HTTP status; undefined while it is open, or when the connection was cut without one. */
  status?: number;
  /** Kind of the fault that was put in its way. */
  fault?: string;
}

export interface Journal {
  readonly created: readonly ObjectEntry[];
  readonly deleted: readonly ObjectEntry[];
  readonly processes: readonly ProcessEntry[];
  readonly requests: readonly RequestEntry[];
  /** Input that reached a container through attach: bytes, and how often it was closed. */
  readonly input: readonly { readonly podUid: string; readonly container: string; readonly bytes: number }[];
  /** What a container has written to stdout and stderr; undefined if it never started. */
  readonly output: (podUid: string, container: string) => OutputEntry | undefined;
  readonly outputs: () => readonly OutputEntry[];
}

/** The side that writes. */
export interface JournalWriter extends Journal {
  readonly objectCreated: (entry: ObjectEntry) => void;
  readonly objectDeleted: (entry: ObjectEntry) => void;
  readonly processStarted: (entry: ProcessEntry) => void;
  readonly requestSeen: (entry: RequestEntry) => void;
  readonly wrote: (pod: { pod: string; podUid: string; container: string }, data: Buffer) => void;
  readonly read: (podUid: string, container: string, bytes: number) => void;
}

export function createJournal(): JournalWriter {
  const created: ObjectEntry[] = [];
  const deleted: ObjectEntry[] = [];
  const processes: ProcessEntry[] = [];
  const requests: RequestEntry[] = [];
  const input = new Map<string, { podUid: string; container: string; bytes: number }>();
  const outputs = new Map<
    string,
    { pod: string; podUid: string; container: string; bytes: number; hash: ReturnType<typeof createHash> }
  >();

  function entryOf(key: string): OutputEntry | undefined {
    const found = outputs.get(key);
    if (found === undefined) return undefined;
    const { hash, ...entry } = found;
    return { ...entry, sha256: hash.copy().digest('hex') };
  }

  return {
    created,
    deleted,
    processes,
    requests,
    get input() {
      return [...input.values()];
    },
    output: (podUid, container) => entryOf(`${podUid}/${container}`),
    outputs: () => [...outputs.keys()].flatMap((key) => entryOf(key) ?? []),
    objectCreated: (entry) => created.push(entry),
    objectDeleted: (entry) => deleted.push(entry),
    processStarted: (entry) => processes.push(entry),
    requestSeen: (entry) => requests.push(entry),
    wrote: (of, data) => {
      const key = `${of.podUid}/${of.container}`;
      const entry = outputs.get(key) ?? { ...of, bytes: 0, hash: createHash('sha256') };
      entry.bytes += data.length;
      entry.hash.update(data);
      outputs.set(key, entry);
    },
    read: (podUid, container, bytes) => {
      const key = `${podUid}/${container}`;
      input.set(key, { podUid, container, bytes: (input.get(key)?.bytes ?? 0) + bytes });
    },
  };
}

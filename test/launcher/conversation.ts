/**
 * Replays a recorded conversation (fixtures/conversations/README.md) against anything that speaks frames: a session of
 * this process with scripted jobs, or the built executable.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const DIRECTORY = resolve(import.meta.dirname, '../../fixtures/conversations');

interface Conversation {
  readonly api: string;
  readonly about: string;
  readonly steps: readonly Step[];
}

type Step =
  | { readonly send: unknown }
  | { readonly expect: readonly unknown[] }
  | { readonly skip: readonly unknown[] }
  | { readonly silence: number }
  | { readonly cluster: readonly ClusterStep[] }
  | { readonly end: true };

/** What a scripted cluster does; the executable has a cluster of its own. */
type ClusterStep =
  | { readonly put: { readonly id: string; readonly [member: string]: unknown } }
  | { readonly output: readonly [id: string, text: string] }
  | { readonly endOutput: string }
  /** The control request just sent is refused with this code. */
  | { readonly refuse: string }
  /** What the reload just asked for comes to. */
  | { readonly reload: Readonly<Record<string, unknown>> };

/** Who answers. */
export interface Partner {
  /** The body of one frame to it. */
  readonly send: (body: string) => void;
  /** The body of its next frame; undefined if none comes within these milliseconds. */
  readonly next: (withinMs: number) => Promise<string | undefined>;
  /** Ends its input and resolves when it has ended. */
  readonly end: () => Promise<void>;
  /** Absent: it has a real cluster. */
  readonly cluster?: (step: ClusterStep) => Promise<void>;
}

/** The conversations there are. */
export function readConversations(): readonly Conversation[] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8')) as Conversation);
}

/**
 * Resolves when everything went as written, with the number of messages that were held against the record. Rejects with
 * a sentence that names the step, what was expected and what came.
 */
export async function replay(
  conversation: Conversation,
  partner: Partner,
  { image = 'busybox', patienceMs = 30_000 }: { readonly image?: string; readonly patienceMs?: number } = {},
): Promise<number> {
  const known = new Map<string, unknown>([['image', image]]);
  let skipped: readonly unknown[] = [];
  let compared = 0;

  const next = async (withinMs: number): Promise<unknown> => {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const body = await partner.next(Math.max(0, deadline - performance.now()));
      if (body === undefined) return undefined;
      const message: unknown = JSON.parse(body);
      if (!skipped.some((pattern) => matches(pattern, message, known))) return message;
    }
  };

  for (const [index, step] of conversation.steps.entries()) {
    const fail = (problem: string): never => {
      throw new Error(`${conversation.api}, step ${index + 1}: ${problem}`);
    };
    if ('send' in step) {
      partner.send(JSON.stringify(filled(step.send, known)));
    } else if ('expect' in step) {
      const expected = [...step.expect];
      while (expected.length > 0) {
        const message = await next(patienceMs);
        const found = expected.findIndex((pattern) => matches(pattern, message, known));
        if (found < 0) fail(`expected ${JSON.stringify(expected)}, came ${JSON.stringify(message)}`);
        expected.splice(found, 1);
        compared++;
      }
    } else if ('skip' in step) {
      skipped = [...skipped, ...step.skip];
    } else if ('silence' in step) {
      const message = await next(step.silence);
      if (message !== undefined) fail(`expected silence, came ${JSON.stringify(message)}`);
    } else if ('cluster' in step) {
      for (const event of step.cluster) await partner.cluster?.(filled(event, known) as ClusterStep);
    } else {
      await partner.end();
    }
  }
  return compared;
}

const PLACEHOLDER = /^<(?:(\w+):)?(any|text|number|date)>$/;
const NAME = /^<(\w+)>$/;

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: (value) => value !== undefined,
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  date: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/.test(value),
};

/** Does the value look like this? Remembers names of the pattern only if all of it does. */
function matches(pattern: unknown, value: unknown, known: Map<string, unknown>): boolean {
  const names = new Map<string, unknown>();
  const look = (pattern: unknown, value: unknown): boolean => {
    if (typeof pattern === 'string') {
      const [, name, kind] = PLACEHOLDER.exec(pattern) ?? [];
      if (kind !== undefined) {
        if (name !== undefined) names.set(name, value);
        return KINDS[kind]?.(value) ?? false;
      }
      return value === filled(pattern, known);
    }
    if (Array.isArray(pattern)) {
      return (
        Array.isArray(value) &&
        value.length === pattern.length &&
        pattern.every((element, index) => look(element, value[index]))
      );
    }
    if (typeof pattern !== 'object' || pattern === null) return Object.is(pattern, value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const { '...': more, ...members } = pattern as Record<string, unknown>;
    const actual = value as Record<string, unknown>;
    if (more !== true && Object.keys(actual).some((name) => !Object.hasOwn(members, name))) return false;
    return Object.entries(members).every(([name, inner]) => look(inner, actual[name]));
  };
  if (!look(pattern, value)) return false;
  for (const [name, found] of names) known.set(name, found);
  return true;
}

/** The same with `<name>` replaced by what is known of it. */
function filled(value: unknown, known: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') {
    const [, name] = NAME.exec(value) ?? [];
    return name !== undefined && known.has(name) ? known.get(name) : value;
  }
  if (Array.isArray(value)) return value.map((element) => filled(element, known));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filled(inner, known)]));
}

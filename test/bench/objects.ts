/**
 * Any number of objects made of recorded ones, as bytes that only need a few digits replaced: so cheaply that the server
 * is never what is measured.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { delimited, ProtobufWriter, readSchema } from '../cluster/protobuf.ts';

type JsonObject = Readonly<Record<string, unknown>>;
export type Encoding = 'json' | 'protobuf';
export type Kind = 'Job' | 'Pod';

/** Digits in place of a job's number, an object's version, and a moment (microseconds). */
const NUMBER = '91919191';
const VERSION = '82828282';
export const MOMENT = '737373737373';

/** Bytes with places for numbers. */
export class Template {
  readonly #bytes: Buffer;
  readonly #places: readonly (readonly [mark: string, offsets: readonly number[]])[];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#places = [NUMBER, VERSION, MOMENT].map((mark) => [mark, offsetsOf(bytes, mark)]);
  }

  get length(): number {
    return this.#bytes.length;
  }

  make(number: number, version: number, moment = 0): Buffer {
    const copy = Buffer.from(this.#bytes);
    const values = [number, version, moment];
    for (const [index, [mark, offsets]] of this.#places.entries()) {
      if (offsets.length === 0) continue;
      const digits = String(values[index]).padStart(mark.length, '0');
      for (const offset of offsets) copy.write(digits, offset, 'latin1');
    }
    return copy;
  }
}

function offsetsOf(bytes: Buffer, mark: string): readonly number[] {
  const offsets: number[] = [];
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 1)) offsets.push(at);
  return offsets;
}

interface Templates {
  /** An item of a list. */
  readonly item: Readonly<Record<Encoding, Template>>;
  /** An event of a watch, with what separates it from the next. */
  readonly event: (type: 'ADDED' | 'MODIFIED') => Readonly<Record<Encoding, Template>>;
}

const fixtures = join(import.meta.dirname, '../../fixtures/protobuf');

/** The recorded versions of a pod and a job from their creation to their end, as those of job NUMBER. */
export function recordedObjects(kind: Kind): readonly JsonObject[] {
  const file = kind === 'Pod' ? 'watch-pods.json' : 'watch-jobs.json';
  return readFileSync(join(fixtures, file), 'utf8')
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('{"type":"BOOKMARK"'))
    .map((line) => JSON.parse(line).object)
    .map((object) => {
      const text = JSON.stringify(object)
        .replaceAll(`"resourceVersion":"${object.metadata.resourceVersion}"`, `"resourceVersion":"${VERSION}"`)
        .replaceAll('protobuf-sample', `bench-${NUMBER}`)
        .replaceAll('9bea-8343d9a5958b', `0000-0000${NUMBER}`)
        .replaceAll('b59f-16c5f16b0968', `0000-0000${NUMBER}`);
      return JSON.parse(text);
    });
}

/** A running pod or job, the one that is held and listed. */
export function runningObject(kind: Kind): JsonObject {
  const found = recordedObjects(kind).find(({ status }) =>
    kind === 'Pod' ? (status as JsonObject)['phase'] === 'Running' : (status as JsonObject)['ready'] === 1,
  );
  if (found === undefined) throw new Error(`no running ${kind} was recorded`);
  return found;
}

/** A pod that waits for its image, with the moment as the reason's message: each one is another status. */
export function waitingPod(): JsonObject {
  const pod = structuredClone(runningObject('Pod')) as { status: JsonObject };
  const [container] = pod.status['containerStatuses'] as [JsonObject];
  const state = { waiting: { reason: 'ErrImagePull', message: MOMENT } };
  pod.status = { ...pod.status, phase: 'Pending', containerStatuses: [{ ...container, ready: false, state }] };
  return { ...pod };
}

const writer = new ProtobufWriter(readSchema());

export function templatesOf(object: JsonObject): Templates {
  const { kind, apiVersion: _version, ...item } = object;
  return {
    item: {
      json: new Template(Buffer.from(JSON.stringify(item))),
      protobuf: new Template(writer.message(String(kind), item)),
    },
    event: (type) => ({
      json: new Template(Buffer.from(`${JSON.stringify({ type, object })}\n`)),
      protobuf: new Template(writer.frame({ type, object })),
    }),
  };
}

interface Page {
  readonly kind: string;
  readonly apiVersion: string;
  readonly version: number;
  /** '' on the last page. */
  readonly next: string;
  readonly items: readonly Buffer[];
}

/** The body of a list. */
export function listBody({ kind, apiVersion, version, next, items }: Page, encoding: Encoding): Buffer {
  const metadata = { resourceVersion: String(version), ...(next === '' ? {} : { continue: next }) };
  if (encoding === 'json') {
    const head = JSON.stringify({ kind, apiVersion, metadata });
    const parts: Buffer[] = [Buffer.from(`${head.slice(0, -1)},"items":[`)];
    for (const [index, item] of items.entries()) parts.push(Buffer.from(index === 0 ? '' : ','), item);
    return Buffer.concat([...parts, Buffer.from(']}')]);
  }
  const raw = Buffer.concat([
    ...delimited(1, writer.message('ListMeta', metadata)),
    ...items.flatMap((item) => delimited(2, item)),
  ]);
  return Buffer.concat([
    Buffer.from('k8s\0'),
    ...delimited(1, writer.message('TypeMeta', { kind, apiVersion })),
    ...delimited(2, raw),
  ]);
}

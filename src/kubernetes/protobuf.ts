/**
 * Reads the protobuf encoding of Kubernetes (`application/vnd.kubernetes.protobuf`) by tables of fields, into the very
 * objects that JSON.parse makes of the JSON encoding, but with the fields of the tables only: everything else is jumped
 * over, and that is why it is several times faster. Which field of the API has which number: protobuf-fields.ts.
 */

export type ProtobufErrorCode =
  /** A field or frame goes beyond the bytes that are there. */
  | 'protobuf-length'
  /** Objects within objects, deeper than anything in Kubernetes. */
  | 'protobuf-depth'
  /** A field is encoded as no Kubernetes field is, or not as its table says. */
  | 'protobuf-wire-type'
  /** A body without the magic bytes, or with an encoding of its own inside. */
  | 'protobuf-envelope'
  /** A kind of object without a table. */
  | 'protobuf-unknown';

/** The bytes are not what the tables expect; the same thing as JSON can still be read. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
  readonly code: ProtobufErrorCode;

  constructor(code: ProtobufErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What is read of a field; made by the functions of protobuf-fields.ts. */
export interface Field {
  /** As in JSON. */
  readonly name: string;
  /**
   * `inline`: the members of a message that JSON shows among those of the message around it. `map`: entries of key 1
   * and value 2. `time`, `quantity`, `numberOrText`: messages that are a text or a number in JSON.
   */
  readonly kind:
    | 'text'
    | 'bytes'
    | 'number'
    | 'flag'
    | 'time'
    | 'quantity'
    | 'numberOrText'
    | 'message'
    | 'inline'
    | 'map';
  readonly repeated: boolean;
  /** Tell '', 0 and false (a Go pointer, or a field without `omitempty`); otherwise they are left out, as JSON does. */
  readonly zero: boolean;
  /** Of the kinds that are messages. */
  readonly message: Message;
}

export interface Message {
  /** By number. */
  readonly fields: readonly (Field | undefined)[];
  /** Fields that are not listed are told instead of being jumped over: field 8 as the empty object `field8`. */
  readonly tellsUnlisted: boolean;
}

type Target = Record<string, unknown>;

/** The deepest object that we read has 9 levels. */
const MAX_DEPTH = 32;
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
/** Tag of field 1 as a number: the seconds of a Time. */
const SECONDS = 8;

/** Reads one message after the other, and remembers texts and times that come again and again. */
export class ProtobufReader {
  readonly #texts = new Texts();
  readonly #times = new Map<number, string>();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Throws a ProtobufError if the message is not well made. */
  read(bytes: Uint8Array, message: Message): Target {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    const target: Target = {};
    this.#message(message, bytes.length, target, 0);
    return target;
  }

  /** Reads the fields up to `end` into `target`. */
  #message({ fields, tellsUnlisted }: Message, end: number, target: Target, depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtobufError('protobuf-depth', `objects within each other, over ${MAX_DEPTH}`);
    while (this.#at < end) {
      const tag = this.#varint(end);
      const wireType = tag % 8;
      const number = (tag - wireType) / 8;
      const field = fields[number];
      if (field !== undefined) this.#field(field, wireType, end, target, depth);
      else {
        if (tellsUnlisted) target[`field${number}`] = {};
        this.#skip(wireType, end);
      }
    }
  }

  #field(field: Field, wireType: number, end: number, target: Target, depth: number): void {
    const { kind } = field;
    const scalar = kind === 'number' || kind === 'flag';
    if (wireType !== (scalar ? VARINT : LENGTH)) {
      throw new ProtobufError('protobuf-wire-type', `field ${field.name} has wire type ${wireType}`);
    }
    const number = this.#varint(end);
    if (scalar) {
      if (number !== 0 || field.zero || field.repeated) put(target, field, kind === 'flag' ? number !== 0 : number);
      return;
    }
    const start = this.#at;
    const stop = this.#stop(number, end);
    if (kind === 'text') {
      if (number > 0 || field.zero || field.repeated) put(target, field, this.#texts.read(this.#bytes, start, stop));
    } else if (kind === 'bytes') {
      put(target, field, this.#bytes.subarray(start, stop));
    } else if (kind === 'time') {
      this.#putTime(target, field, stop);
    } else {
      const inner: Target = kind === 'inline' ? target : {};
      this.#message(field.message, stop, inner, depth + 1);
      if (kind === 'message') put(target, field, inner);
      else if (kind === 'map') putEntry(target, field.name, inner);
      else if (kind === 'quantity') put(target, field, inner['string'] ?? '');
      else if (kind === 'numberOrText') put(target, field, inner['type'] === 1 ? inner['text'] : inner['number']);
    }
    this.#at = stop;
  }

  /** Whole seconds, field 1; a Time of no bytes is none, which JSON writes as null. */
  #putTime(target: Target, field: Field, end: number): void {
    let seconds: number | undefined;
    while (this.#at < end) {
      const tag = this.#varint(end);
      if (tag === SECONDS) seconds = this.#varint(end);
      else this.#skip(tag % 8, end);
    }
    if (seconds === undefined) return;
    let text = this.#times.get(seconds);
    if (text === undefined) {
      const date = new Date(seconds * 1000);
      if (Number.isNaN(date.getTime())) {
        throw new ProtobufError('protobuf-wire-type', `field ${field.name} is no time`);
      }
      text = date.toISOString().replace('.000Z', 'Z');
      if (this.#times.size === REMEMBERED) this.#times.clear();
      this.#times.set(seconds, text);
    }
    put(target, field, text);
  }

  #skip(wireType: number, end: number): void {
    if (wireType === LENGTH) this.#at = this.#stop(this.#varint(end), end);
    else if (wireType === VARINT) this.#varint(end);
    else if (wireType === FIXED64) this.#at = this.#stop(8, end);
    else if (wireType === FIXED32) this.#at = this.#stop(4, end);
    else throw new ProtobufError('protobuf-wire-type', `a field has wire type ${wireType}`);
  }

  #stop(length: number, end: number): number {
    if (length < 0 || length > end - this.#at) {
      throw new ProtobufError('protobuf-length', `a field of ${length} bytes where ${end - this.#at} are left`);
    }
    return this.#at + length;
  }

  /** A signed 64-bit number; beyond 2^53 the nearest double, as JSON.parse gives it. */
  #varint(end: number): number {
    let value = 0;
    for (let unit = 1; unit < 2 ** 49; unit *= 128) {
      const byte = this.#byte(end);
      if (byte < 128) return value + byte * unit;
      value += (byte - 128) * unit;
    }
    let long = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte(end);
      long += BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, long));
    }
    throw new ProtobufError('protobuf-length', 'a number of more than 10 bytes');
  }

  #byte(end: number): number {
    const byte = this.#at < end ? this.#bytes[this.#at] : undefined;
    if (byte === undefined) throw new ProtobufError('protobuf-length', 'the bytes end within a field');
    this.#at++;
    return byte;
  }
}

function put(target: Target, { name, repeated }: Field, value: unknown): void {
  if (!repeated) target[name] = value;
  else if (target[name] === undefined) target[name] = [value];
  else (target[name] as unknown[]).push(value);
}

const OWN = { enumerable: true, configurable: true, writable: true };

function putEntry(target: Target, name: string, { key = '', value = '' }: Target): void {
  target[name] ??= {};
  const map = target[name] as Target;
  // As JSON.parse does; an assignment would call the setter that `__proto__` is.
  if (key === '__proto__') Object.defineProperty(map, key, { ...OWN, value });
  else map[key as string] = value;
}

/** How many texts and times are remembered; a power of two. */
const REMEMBERED = 4096;
/** Texts up to this length are looked for: `True`, `PodScheduled`, an image, a user; no uid, which is another each time. */
const SHORT = 32;

/** Decodes UTF-8. A short ASCII text that was seen lately is found instead, which is quicker and holds it once only. */
class Texts {
  readonly #seen: string[] = Array.from({ length: REMEMBERED }, () => '');

  read(bytes: Buffer, start: number, stop: number): string {
    if (stop - start > SHORT) return bytes.toString('utf8', start, stop);
    let hash = 0;
    for (let at = start; at < stop; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 12)) & (REMEMBERED - 1);
    const seen = this.#seen[slot] ?? '';
    if (isText(seen, bytes, start, stop)) return seen;
    const text = bytes.toString('utf8', start, stop);
    this.#seen[slot] = text;
    return text;
  }
}

function isText(text: string, bytes: Buffer, start: number, stop: number): boolean {
  if (text.length !== stop - start) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code !== bytes[start + index] || code > 127) return false;
  }
  return true;
}

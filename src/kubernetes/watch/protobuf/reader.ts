/**
 * Reads the protobuf encoding of Kubernetes (`application/vnd.kubernetes.protobuf`) by tables of fields, into the very
 * objects that JSON.parse makes of the JSON encoding, but with the fields of the tables only: everything else is jumped
 * over, and that is why it is several times faster. Which field of the API has which number: protobuf-fields.ts.
 */
import { LONGEST, SeenValues } from './value-cache.ts';

type ProtobufErrorCode =
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
   * and value 2. `part`: where bytes are. `time`, `quantity`, `numberOrText`: messages that are a text or a number in JSON.
   */
  readonly kind:
    | 'text'
    | 'part'
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
  /** Another text in every object or version: not worth remembering. */
  readonly unique?: boolean;
  /** Of the kinds that are messages. */
  readonly message: Message;
}

export interface Message {
  /** By number. */
  readonly fields: readonly (Field | undefined)[];
  /** Fields that are not listed are told instead of being jumped over: field 8 as the empty object `field8`. */
  readonly tellsUnlisted: boolean;
  /** Comes again and again with the same bytes: then it may be the object that was read before. */
  readonly recurs?: boolean;
}

/** Where a message is in the bytes around it. */
export interface Part {
  readonly start: number;
  readonly stop: number;
}

type Target = Record<string, unknown>;

/** The deepest object that we read has 9 levels. */
const MAX_DEPTH = 32;
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
/** Texts up to this length are remembered: `True`, `PodScheduled`, an image, a user; a longer one is another each time. */
const SHORT = 32;
/** Tag of field 1 as a number: the seconds of a Time. */
const SECONDS = 8;

/** Reads one message after the other, and remembers values that come again and again. */
export class ProtobufReader {
  readonly #seen = new SeenValues();
  #bytes: Buffer = Buffer.alloc(0);
  #view = new DataView<ArrayBufferLike>(new ArrayBuffer(0));
  #at = 0;

  /** Reads the message that `part` of the bytes is into `target`. Throws a ProtobufError if it is not well made. */
  read(
    bytes: Uint8Array,
    message: Message,
    part: Part = { start: 0, stop: bytes.length },
    target: Target = {},
  ): Target {
    if (bytes !== this.#bytes) {
      this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#at = part.start;
    this.#message(message, part.stop, target, 0);
    return target;
  }

  /** Reads the fields up to `end` into `target`. */
  #message({ fields, tellsUnlisted }: Message, end: number, target: Target, depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtobufError('protobuf-depth', `objects within each other, over ${MAX_DEPTH}`);
    while (this.#at < end) {
      const tag = this.#varint(end);
      const wireType = tag & 7;
      const number = tag >>> 3;
      const field = fields[number];
      if (field !== undefined) this.#field(field, wireType, end, target, depth);
      else {
        if (tellsUnlisted) target[`field${number}`] = {};
        this.#skip(wireType, end);
      }
    }
  }

  #field(field: Field, wireType: number, end: number, target: Target, depth: number): void {
    const { kind, message } = field;
    const scalar = kind === 'number' || kind === 'flag';
    if (wireType !== (scalar ? VARINT : LENGTH)) {
      throw new ProtobufError('protobuf-wire-type', `field ${field.name} has wire type ${wireType}`);
    }
    const number = this.#varint(end);
    if (scalar) {
      if (number !== 0 || field.zero || field.repeated) put(target, field, kind === 'flag' ? number !== 0 : number);
      return;
    }
    const stop = this.#stop(number, end);
    if (kind === 'inline') this.#message(message, stop, target, depth + 1);
    else if (number > 0 || kind !== 'text' || field.zero || field.repeated) {
      const type = memorable(field, number);
      put(
        target,
        field,
        type === undefined ? this.#value(field, stop, depth) : this.#remembered(type, field, stop, depth),
      );
    }
    this.#at = stop;
  }

  /** The value that was read from the same bytes before, if it is still known. */
  #remembered(type: unknown, field: Field, stop: number, depth: number): unknown {
    const start = this.#at;
    const slot = this.#seen.slot(this.#view, start, stop);
    if (this.#seen.holds(slot, type, this.#view, start, stop)) return this.#seen.value(slot);
    const value = this.#value(field, stop, depth);
    this.#seen.keep(slot, type, this.#view, start, stop, value);
    return value;
  }

  #value(field: Field, stop: number, depth: number): unknown {
    const { kind } = field;
    if (kind === 'text') return this.#bytes.toString('utf8', this.#at, stop);
    if (kind === 'part') return { start: this.#at, stop } satisfies Part;
    if (kind === 'time') return this.#time(field, stop);
    const inner: Target = {};
    this.#message(field.message, stop, inner, depth + 1);
    if (kind === 'quantity') return inner['string'] ?? '';
    if (kind === 'numberOrText') return inner['type'] === 1 ? inner['text'] : inner['number'];
    return inner;
  }

  /** Whole seconds, field 1; a Time of no bytes is none, which JSON writes as null. */
  #time(field: Field, end: number): string | undefined {
    let seconds: number | undefined;
    while (this.#at < end) {
      const tag = this.#varint(end);
      if (tag === SECONDS) seconds = this.#varint(end);
      else this.#skip(tag & 7, end);
    }
    if (seconds === undefined) return undefined;
    const date = new Date(seconds * 1000);
    if (Number.isNaN(date.getTime())) throw new ProtobufError('protobuf-wire-type', `field ${field.name} is no time`);
    return date.toISOString().replace('.000Z', 'Z');
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
    const first = this.#byte(end);
    return first < 128 ? first : this.#longVarint(first - 128, end);
  }

  /** The rest of a number that goes on after its first byte; most do not. */
  #longVarint(first: number, end: number): number {
    let value = first;
    for (let unit = 128; unit < 2 ** 49; unit *= 128) {
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

/** As what a value of so many bytes is remembered: texts and times are alike in all fields. Undefined: not at all. */
function memorable({ kind, unique, message }: Field, length: number): unknown {
  if (length > LONGEST) return undefined;
  if (kind === 'text') return unique === true || length > SHORT ? undefined : kind;
  return kind === 'time' ? kind : message.recurs === true ? message : undefined;
}

function put(target: Target, { name, kind, repeated }: Field, value: unknown): void {
  if (value === undefined) return;
  if (kind === 'map') putEntry(target, name, value as Target);
  else if (!repeated) target[name] = value;
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

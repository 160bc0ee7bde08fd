/**
 * Event scan: finds where the fields of an event of a watch are, without making an object or a string of any. BodyReader reads
 * by the same tables, and all that is malformed or unusual is left to it.
 */
import { ENVELOPE, OBJECTS, WATCH_EVENT } from './field-table.ts';
import { FIXED32, FIXED64, LENGTH, type Message, VARINT } from './reader.ts';

/** The event is malformed or unusual. Made once, because it means nothing but that BodyReader reads the event. */
export const UNUSUAL = new Error('BodyReader reads this event');

/** Fields of a message in the tables; a field with a higher number is skipped. */
const MAX_FIELDS = 32;
/** Messages in an event of a pod: 31. */
const MAX_TABLES = 64;
/** Tag of field 1 as a number: the seconds of a Time. */
const SECONDS = 8;
const NANOS = 16;
/** Of the seconds of a Time: more than the year 9999 needs, less than a Date holds. */
const MAX_SECONDS_BYTES = 6;
/** A byte that is no complete character. */
const NOT_ASCII = 128;

/**
 * A record has two words for each field: where it starts and stops, or 1 and the value of a number, or the first and the last
 * record of a repeated field; zeros without the field. Before them is the next record of the same field, 0 after the last one.
 */
const NEXT = 0;
const FIRST_FIELD = 1;
const FIELD_WORDS = 2;
const RECORD_WORDS = 8 * 1024;

/** An entry of a table: its wire type, what it is, its first word in the record, and the table of its message. */
const LEAF = 0;
const MESSAGE = 1 << 3;
const ITEM = 2 << 3;
/** A message after the magic bytes of Kubernetes. */
const BODY = 3 << 3;
const TIME = 4 << 3;
const KIND = 7 << 3;
const WORD_SHIFT = 6;
const WORD_MASK = 0x3ff;
const TABLE_SHIFT = 16;
/** Entry of labels, which decide nothing of a known object. The others that are not 0 are greater: they have words. */
const IGNORED = LENGTH;
/** `k8s` and a zero byte. */
const MAGIC = 0x6b_38_73_00;
const MAGIC_BYTES = 4;
/** The deepest message in the tables, with those around the object. */
const MAX_DEPTH = 16;

/** Longest string with one copy for all objects: `Running`, a node, an address. */
const SHORT = 32;
const MAX_STRINGS = 1024;

const ROOT = 0;
const OBJECT = 'object.raw.raw.';

export class EventScan {
  readonly #kind: string;
  /** Words of a record by path; the paths of a repeated message and its fields contain that of the field. */
  readonly #words = new Map<string, number>();
  /** Tables of the messages: an entry for each field number. */
  readonly #tables = new Int32Array(MAX_TABLES * MAX_FIELDS);
  #tablesEnd = 0;
  /** Words of a record of a repeated message, where its table starts. */
  readonly #sizes = new Int32Array(MAX_TABLES * MAX_FIELDS);
  readonly #records = new Int32Array(RECORD_WORDS);
  /** End, table and record of each of the messages around one. */
  readonly #around = new Int32Array(MAX_DEPTH * 3);
  /** Short strings that several objects have. */
  readonly #strings = new Map<string, string>();
  /** Words of the record of the event. */
  readonly #firstItem: number;
  /** Words in use. */
  #top = 0;
  readonly #type: number;
  readonly #typeMeta: number;
  readonly #encoding: number;
  readonly #body: number;
  #bytes: Buffer = Buffer.alloc(0);

  /** `kind`: of the objects. */
  constructor(kind: string) {
    this.#kind = kind;
    const root = { words: FIRST_FIELD };
    this.#addTable(WATCH_EVENT, '', root);
    this.#firstItem = root.words;
    this.#type = this.#word('type');
    this.#body = this.#word('object.raw');
    this.#typeMeta = this.#word('object.raw.typeMeta.kind');
    this.#encoding = this.#word('object.raw.contentEncoding');
  }

  /** The words of fields in the message at this path of the object; '': of the object itself. */
  words<const Names extends readonly string[]>(path: string, ...names: Names): { [Index in keyof Names]: number } {
    return names.map((name) => this.#word(`${OBJECT}${path}${path === '' ? '' : '.'}${name}`)) as {
      [Index in keyof Names]: number;
    };
  }

  #word(path: string): number {
    const word = this.#words.get(path);
    if (word === undefined) throw new Error(`BUG: no field ${path}`);
    return word;
  }

  /** Adds the table of a message, and returns where it starts. */
  #addTable(message: Message, prefix: string, record: { words: number }): number {
    const start = this.#tablesEnd;
    this.#tablesEnd += MAX_FIELDS;
    const inner = (of: Message, path: string, words = record): number =>
      this.#addTable(of, `${path}.`, words) << TABLE_SHIFT;
    for (const [number, field] of message.fields.entries()) {
      if (field === undefined) continue;
      if (field.message.onlyKey !== undefined) {
        this.#tables[start + number] = IGNORED;
        continue;
      }
      const { kind, repeated } = field;
      const path = prefix + field.name;
      const word = record.words;
      record.words += FIELD_WORDS;
      this.#words.set(path, word);
      let entry = (word << WORD_SHIFT) | (kind === 'number' || kind === 'flag' ? VARINT : LENGTH);
      if (path === 'object.raw') entry |= BODY | inner(ENVELOPE, path);
      else if (path === 'object.raw.raw') entry |= MESSAGE | inner(OBJECTS[this.#kind] ?? WATCH_EVENT, path);
      else if (repeated || kind === 'map') {
        const item = { words: FIRST_FIELD };
        const table = inner(field.message, path, item);
        this.#sizes[table >> TABLE_SHIFT] = item.words;
        entry |= ITEM | table;
      } else if (kind === 'message' || kind === 'quantity') entry |= MESSAGE | inner(field.message, path);
      else if (kind === 'time') entry |= TIME;
      this.#tables[start + number] = entry;
    }
    if (this.#tablesEnd > this.#tables.length) throw new Error('BUG: more messages than tables');
    return start;
  }

  /** Reads the event MODIFIED of an object, to which the other functions then refer. False for another or an unusual event. */
  read(frame: Buffer): boolean {
    if (!this.#scan(frame) || !this.is(ROOT, this.#type, 'MODIFIED')) return false;
    const body = this.#records[this.#body] ?? 0;
    return (
      frame.readUInt32BE(body) === MAGIC &&
      this.is(ROOT, this.#typeMeta, this.#kind) &&
      this.#holds(ROOT, this.#encoding, '')
    );
  }

  /** False if it is malformed or unusual. One loop over local variables: with calls and fields in it, it takes twice the time. */
  #scan(bytes: Buffer): boolean {
    this.#bytes = bytes;
    const tables = this.#tables;
    const records = this.#records;
    const around = this.#around;
    const sizes = this.#sizes;
    records.fill(0, 0, this.#top);
    this.#top = RECORD_WORDS;
    let top = this.#firstItem;
    let depth = 0;
    let end = bytes.length;
    let table = 0;
    let record = 0;
    let at = 0;
    for (;;) {
      while (at >= end) {
        if (at > end) return false;
        if (depth === 0) {
          this.#top = top;
          return true;
        }
        depth -= 3;
        end = around[depth] ?? 0;
        table = around[depth + 1] ?? 0;
        record = around[depth + 2] ?? 0;
      }
      let tag = bytes[at++] ?? 0;
      if (tag >= 128) {
        const high = bytes[at++] ?? 0;
        // No field of Kubernetes has a number of more than 11 bits.
        if (high >= 128) return false;
        tag += (high - 1) * 128;
      }
      const wireType = tag & 7;
      const number = tag >> 3;
      const entry = number < MAX_FIELDS ? (tables[table + number] ?? 0) : 0;
      if (wireType !== LENGTH && wireType !== VARINT) {
        if (entry !== 0 || (wireType !== FIXED64 && wireType !== FIXED32)) return false;
        at += wireType === FIXED64 ? 8 : 4;
        continue;
      }
      let value = bytes[at++] ?? 0;
      if (value >= 128) {
        let byte = value;
        let shift = 7;
        do {
          byte = bytes[at++] ?? 0;
          value += (byte - 1) << shift;
          shift += 7;
        } while (byte >= 128 && shift < 28);
        if (byte >= 128 || value < 0) return false;
      }
      if (wireType === LENGTH && value > end - at) return false;
      if (entry <= IGNORED) {
        if (wireType === LENGTH) at += value;
        else if (entry === IGNORED) return false;
        continue;
      }
      if ((entry & 7) !== wireType) return false;
      const word = record + ((entry >> WORD_SHIFT) & WORD_MASK);
      const kind = entry & KIND;
      const next = top;
      if (kind === ITEM) {
        top += sizes[entry >>> TABLE_SHIFT] ?? 0;
        if (top > RECORD_WORDS) return false;
        const last = records[word + 1] ?? 0;
        records[last === 0 ? word : last + NEXT] = next;
        records[word + 1] = next;
      } else {
        // Twice: of some fields the last one counts, of others not.
        if (records[word] !== 0) return false;
        records[word] = wireType === VARINT ? 1 : at;
        records[word + 1] = wireType === VARINT ? value : at + value;
        if (wireType === VARINT) continue;
      }
      if (kind === LEAF || kind === TIME) {
        at += value;
        if (kind === TIME && !isUsualTime(bytes, at - value, at)) return false;
        continue;
      }
      if (depth === around.length) return false;
      around[depth++] = end;
      around[depth++] = table;
      around[depth++] = record;
      end = at + value;
      table = entry >>> TABLE_SHIFT;
      if (kind === ITEM) record = next;
      else if (kind === BODY) at += MAGIC_BYTES;
    }
  }

  /** The first record of a repeated field; 0 if there is none. */
  first(record: number, word: number): number {
    return this.#records[record + word] ?? 0;
  }

  /** The next record of the same field; 0 after the last one. */
  next(record: number): number {
    return this.#records[record + NEXT] ?? 0;
  }

  has(record: number, word: number): boolean {
    return this.#records[record + word] !== 0;
  }

  /** Undefined without the field. */
  number(record: number, word: number): number | undefined {
    return this.has(record, word) ? this.#records[record + word + 1] : undefined;
  }

  flag(record: number, word: number): boolean {
    return this.#records[record + word + 1] !== 0;
  }

  /** Milliseconds since 1970; undefined without the field, without a time in it, and for 1970 itself, which means "never". */
  time(record: number, word: number): number | undefined {
    const bytes = this.#bytes;
    let at = (this.#records[record + word] ?? 0) + 1;
    let seconds = 0;
    let byte = 128;
    for (let unit = 1; byte >= 128 && at < (this.#records[record + word + 1] ?? 0); unit *= 128) {
      byte = bytes[at++] ?? 0;
      seconds += (byte & 127) * unit;
    }
    return seconds === 0 ? undefined : seconds * 1000;
  }

  /** Is the field there, and is it this? */
  is(record: number, word: number, text: string): boolean {
    return this.has(record, word) && this.#holds(record, word, text);
  }

  /** A string, '' without the field; `before` itself if it is equal, else one copy for all objects if it is short. */
  text(record: number, word: number, before = ''): string {
    if (this.#holds(record, word, before)) return before;
    const text = this.unique(record, word);
    return text.length > SHORT ? text : this.#common(text);
  }

  /** A string that no other object has. */
  unique(record: number, word: number): string {
    return this.#bytes.toString('utf8', this.#records[record + word], this.#records[record + word + 1]);
  }

  /** False also for equal strings with characters that are not ASCII. */
  #holds(record: number, word: number, text: string): boolean {
    const start = this.#records[record + word] ?? 0;
    if (text.length !== (this.#records[record + word + 1] ?? 0) - start) return false;
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index++) {
      const byte = bytes[start + index] ?? 0;
      if (byte !== text.charCodeAt(index) || byte >= NOT_ASCII) return false;
    }
    return true;
  }

  #common(text: string): string {
    const kept = this.#strings.get(text);
    if (kept !== undefined) return kept;
    if (this.#strings.size === MAX_STRINGS) this.#strings.clear();
    this.#strings.set(text, text);
    return text;
  }
}

/** Is this a Time as an API server writes it? */
function isUsualTime(bytes: Buffer, start: number, stop: number): boolean {
  if (start === stop) return true;
  let at = start + 1;
  while (at < start + MAX_SECONDS_BYTES && (bytes[at] ?? 0) >= 128) at++;
  if (bytes[start] !== SECONDS || (bytes[at] ?? 0) >= 128) return false;
  return at === stop - 1 || (at === stop - 3 && bytes[stop - 2] === NANOS && (bytes[stop - 1] ?? 0) < 128);
}

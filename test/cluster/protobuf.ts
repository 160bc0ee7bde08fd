/**
 * Writes the protobuf encoding of Kubernetes (`application/vnd.kubernetes.protobuf`) of objects that are there as JSON,
 * by the published field numbers (fixtures/protobuf/fields.txt). Types that are not described there are written as empty
 * messages.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface FieldType {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
}

/** The fields of each type of the API. */
type Schema = ReadonlyMap<string, readonly FieldType[]>;

/** A line for each type: `Pod: 1 metadata ObjectMeta, 2 spec PodSpec, 3 status PodStatus`; `*` marks lists. */
export function readSchema(path = join(import.meta.dirname, '../../fixtures/protobuf/fields.txt')): Schema {
  const types = new Map<string, FieldType[]>();
  for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
    const [type = '', fields = ''] = line.split(': ');
    const parsed = [...fields.matchAll(/(\d+) (\w+) (map<string,\w+>|\w+)(\*?)/g)].map(
      ([, number, name = '', of = '', star]) => ({ number: Number(number), name, type: of, repeated: star === '*' }),
    );
    types.set(type, parsed);
  }
  return types;
}

/** Embedded in Go: JSON shows their members among those of the message around them. */
const EMBEDDED: ReadonlySet<string> = new Set([
  'Volume.volumeSource',
  'SecretKeySelector.localObjectReference',
  'ConfigMapVolumeSource.localObjectReference',
  'ConfigMapProjection.localObjectReference',
  'SecretProjection.localObjectReference',
]);

type JsonObject = Readonly<Record<string, unknown>>;

const MAGIC = Buffer.from('k8s\0');
const VARINT = 0;
const LENGTH = 2;

export class ProtobufWriter {
  readonly schema: Schema;

  constructor(schema: Schema) {
    this.schema = schema;
  }

  /** The body of an answer. `object` has kind and apiVersion. */
  body(object: JsonObject): Buffer {
    const { kind, apiVersion, ...fields } = object;
    const unknown = { typeMeta: { kind, apiVersion }, raw: this.message(String(kind), fields) };
    return Buffer.concat([MAGIC, this.message('Unknown', { ...unknown, contentEncoding: '', contentType: '' })]);
  }

  /** An event of a watch, with its length before it. */
  frame(event: { readonly type: string; readonly object: JsonObject }): Buffer {
    const bytes = this.message('WatchEvent', { type: event.type, object: { raw: this.body(event.object) } });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  }

  message(type: string, object: JsonObject): Buffer {
    const parts: Buffer[] = [];
    for (const field of this.schema.get(type) ?? []) {
      const value = EMBEDDED.has(`${type}.${field.name}`) ? object : object[field.name];
      if (value === undefined) continue;
      const values = field.repeated ? (value as readonly unknown[] | null) : [value];
      for (const each of values ?? []) parts.push(...this.#field(field, each));
    }
    return Buffer.concat(parts);
  }

  #field({ number, type }: FieldType, value: unknown): readonly Buffer[] {
    if (/^(int32|int64|bool)$/.test(type)) return [varint((number << 3) | VARINT), varint(Number(value))];
    const entry = /^map<string,(\w+)>$/.exec(type)?.[1];
    if (entry !== undefined) {
      return Object.entries((value ?? {}) as JsonObject).flatMap(([key, each]) =>
        delimited(
          number,
          Buffer.concat([...delimited(1, Buffer.from(key)), ...delimited(2, this.#bytes(entry, each))]),
        ),
      );
    }
    return delimited(number, this.#bytes(type, value));
  }

  #bytes(type: string, value: unknown): Buffer {
    switch (type) {
      case 'string':
        return Buffer.from(String(value));
      case 'bytes':
        return Buffer.from(value as Uint8Array);
      case 'FieldsV1':
        return this.message(type, { Raw: Buffer.from(JSON.stringify(value)) });
      case 'Quantity':
        return this.message(type, { string: String(value) });
      case 'Time':
        // None is null in JSON, and no bytes here.
        return this.message(type, value === null ? {} : { seconds: Date.parse(String(value)) / 1000, nanos: 0 });
      case 'IntOrString':
        return this.message(
          type,
          typeof value === 'number' ? { type: 0, intVal: value, strVal: '' } : { type: 1, intVal: 0, strVal: value },
        );
      default:
        return this.message(type, (value ?? {}) as JsonObject);
    }
  }
}

/** A field of bytes. */
export function delimited(number: number, bytes: Buffer): readonly Buffer[] {
  return [varint((number << 3) | LENGTH), varint(bytes.length), bytes];
}

/** Negative numbers take ten bytes. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

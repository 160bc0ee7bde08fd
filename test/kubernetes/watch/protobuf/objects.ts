/** Objects of Kubernetes with any of their fields and any values, for property tests. */
import fc from 'fast-check';
import { readSchema } from '../../../cluster/protobuf.ts';

type JsonObject = { readonly [field: string]: unknown };

const schema = readSchema();
const text = fc.oneof(fc.constantFrom('', 'True', 'Job', '__proto__'), fc.string({ unit: 'binary' }));
const seconds = fc.integer({ min: -62135596800, max: 253402300799 });
const SCALARS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: text,
  bool: fc.boolean(),
  int32: fc.integer(),
  int64: fc.maxSafeInteger(),
  Time: seconds.map((time) => new Date(time * 1000).toISOString().replace('.000Z', 'Z')),
  Quantity: text,
  IntOrString: fc.oneof(fc.integer(), text),
  FieldsV1: fc.dictionary(fc.string(), fc.constant({})),
  'map<string,string>': fc.dictionary(text, text),
  'map<string,Quantity>': fc.dictionary(text, text),
};
const EMBEDDED: ReadonlySet<string> = new Set(['volumeSource', 'localObjectReference']);
const READ_VOLUMES: ReadonlySet<number> = new Set([1, 2, 6, 7, 9, 10, 14, 16, 18, 19, 26, 28, 29, 30]);

/** An object with any of the fields of a type; volumes are of a kind that is read. */
export function anyObject(type: string): fc.Arbitrary<JsonObject> {
  const all = schema.get(type) ?? [];
  const members = Object.fromEntries(
    all
      .filter((field) => type !== 'VolumeSource' || READ_VOLUMES.has(field.number))
      .filter(({ type: of }) => of in SCALARS || schema.has(of))
      .map(({ name, type: of, repeated }) => {
        const value = SCALARS[of] ?? anyObject(of);
        return [name, repeated ? fc.array(value, { maxLength: 3 }) : value];
      }),
  );
  return fc.record(members, { requiredKeys: [] }).map((object: JsonObject) => {
    const inner = Object.keys(object).filter((name) => EMBEDDED.has(name));
    const flat: Record<string, unknown> = { ...object };
    for (const name of inner) {
      Object.assign(flat, object[name]);
      delete flat[name];
    }
    return flat;
  });
}

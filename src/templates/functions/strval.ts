/** Any value as the text that sprig works with (its functions strval and strslice). */
import { fromBytes } from '../bytes.ts';
import { printForm } from '../print-form.ts';
import { type Budget, itemsOf, numberOf, Slice, type Value } from '../values.ts';

/** The bytes of a []byte; undefined for other values. */
export function bytesOf(value: Value): Uint8Array | undefined {
  if (!(value instanceof Slice) || value.elem !== 'uint8') return undefined;
  return Uint8Array.from(value.items, (item) => Number(numberOf(item) ?? 0));
}

/** As `%v` prints it, but a []byte as the text that it is. */
export function strval(value: Value, budget: Budget): string {
  const bytes = bytesOf(value);
  return bytes === undefined ? printForm(value ?? null, budget) : fromBytes(bytes);
}

/** A list as strings without its nils; another value as a list of one string. */
export function strings(value: Value, budget: Budget): readonly string[] {
  const items = itemsOf(value);
  if (items === undefined) return (value ?? null) === null ? [] : [strval(value, budget)];
  budget.step(items.length);
  return items.filter((item) => (item ?? null) !== null).map((item) => strval(item, budget));
}

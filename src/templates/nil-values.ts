/** Go's nil slices and nil maps that have a type: empty for templates, `null` in JSON and YAML, and not to be written to. */
import { GoError } from './contract.ts';
import { Slice, type Value } from './values.ts';

/** A nil slice. */
export class NilSlice extends Slice {
  constructor(elem: string) {
    super(elem, []);
  }
}

/** A nil map[string]interface {}. */
export class NilMap extends Map<string, Value> {
  override set(): this {
    throw new GoError('assignment to entry in nil map');
  }
}

/** Typed definitions of template functions: what the evaluator checked by Go type arrives as the JavaScript type. */
import type { Sliced } from '../system/slices.ts';
import type { Context, GoFunction, SlicedFunction, Value } from './values.ts';

/** A parameter: its Go type, and how its checked value is read. */
export interface Parameter<T> {
  readonly type: string;
  readonly read: (value: Value) => T;
}

export const any: Parameter<Value> = { type: 'interface {}', read: (value) => value ?? null };
export const string: Parameter<string> = { type: 'string', read: (value) => (typeof value === 'string' ? value : '') };
export const bool: Parameter<boolean> = { type: 'bool', read: (value) => value === true };
export const int: Parameter<bigint> = { type: 'int', read: (value) => (typeof value === 'bigint' ? value : 0n) };
export const float: Parameter<number> = { type: 'float64', read: (value) => (typeof value === 'number' ? value : 0) };
/** A map; null for a nil map. */
export const dict: Parameter<Map<string, Value> | null> = {
  type: 'map[string]interface {}',
  read: (value) => (value instanceof Map ? value : null),
};

type Read<P extends readonly Parameter<unknown>[]> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

/** A function under one name or several (separated by spaces), which mean the same. */
export function define<const P extends readonly Parameter<unknown>[]>(
  names: string,
  parameters: P,
  call: (args: Read<P>, context: Context) => Value,
): readonly GoFunction[] {
  return names.split(' ').map((name) => ({
    name,
    parameters: parameters.map(({ type }) => type),
    variadic: false,
    call: (args, context) => {
      context.step(costOf(args));
      return call(readAll(parameters, args), context);
    },
  }));
}

/** A function during which other work runs. */
export function defineSliced<const P extends readonly Parameter<unknown>[]>(
  names: string,
  parameters: P,
  run: (args: Read<P>, context: Context) => Sliced<Value>,
): readonly SlicedFunction[] {
  return names.split(' ').map((name) => ({
    name,
    parameters: parameters.map(({ type }) => type),
    variadic: false,
    *run(args, context) {
      context.step(costOf(args));
      return yield* run(readAll(parameters, args), context);
    },
  }));
}

/** A variadic function: its last parameter may be given any number of times. */
export function defineVariadic<const P extends readonly Parameter<unknown>[], R>(
  names: string,
  parameters: P,
  rest: Parameter<R>,
  call: (args: Read<P>, rest: readonly R[], context: Context) => Value,
): readonly GoFunction[] {
  return names.split(' ').map((name) => ({
    name,
    parameters: [...parameters.map(({ type }) => type), rest.type],
    variadic: true,
    call: (args, context) => {
      context.step(costOf(args));
      return call(readAll(parameters, args), args.slice(parameters.length).map(rest.read), context);
    },
  }));
}

/** Steps for reading the strings among the arguments; what functions make of them is counted beside. */
const costOf = (args: readonly Value[]): number =>
  args.reduce<number>((steps, arg) => (typeof arg === 'string' ? steps + (arg.length >> 6) : steps), 1);

// The compiler cannot follow the types of a tuple through map.
const readAll = <P extends readonly Parameter<unknown>[]>(parameters: P, args: readonly Value[]): Read<P> =>
  parameters.map(({ read }, i) => read(args[i])) as unknown as Read<P>;

/**
 * Launcher templates: Go's text/template over values, for callers that know jobs and Kubernetes. This room knows neither.
 */
import type { Sliced } from '../system/slices.ts';
import type { DeriveKey, TemplateFunction, Value } from './values.ts';

/** One template file. Its text may hold bytes as `fromBytes` writes them. */
export interface TemplateSource {
  /** The file name, which is the name of the template as well. */
  readonly name: string;
  readonly text: string;
}

/** A position in a template file, as Go's errors count: lines from 1, columns in bytes from 0. */
export interface Place {
  readonly template: string;
  readonly line: number;
  /** Undefined in errors of the parser, which know only the line. */
  readonly column: number | undefined;
}

export type TemplateErrorKind =
  /** The text is not a template. */
  | 'syntax'
  | 'undefined-function'
  /** A function that this program does not offer, with the reason. */
  | 'refused-function'
  | 'undefined-variable'
  | 'undefined-template'
  /** A field of nil, of a number, a string or a list. */
  | 'field'
  /** Arguments of a function: too few, too many. */
  | 'argument-count'
  /** A value of the wrong type for an argument or an operation. */
  | 'type'
  /** A constant that does not fit into an int. */
  | 'overflow'
  /** A value that `range` cannot iterate over. */
  | 'range'
  /** The called function failed. */
  | 'function'
  /** Something that is no function, or nil, or has no value, was called or printed. */
  | 'value'
  /** Steps, time, output or nesting. */
  | 'limit';

/** An error of a template with its place. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly kind: TemplateErrorKind;
  readonly place: Place;
  /** The message without the place. */
  readonly reason: string;

  constructor(kind: TemplateErrorKind, place: Place, reason: string, options?: ErrorOptions) {
    const column = place.column === undefined ? '' : `:${place.column}`;
    super(`template: ${place.template}:${place.line}${column}: ${reason}`, options);
    this.kind = kind;
    this.place = place;
    this.reason = reason;
  }
}

/** An error that a function returns; the evaluator adds the place. */
export class GoError extends Error {
  override readonly name = 'GoError';
}

/** A function that templates must not use: the parser reports it with the reason. */
export interface RefusedFunction {
  readonly name: string;
  readonly refused: string;
}

export type FunctionTable = ReadonlyMap<string, TemplateFunction | RefusedFunction>;

export interface Limits {
  readonly nestedCalls: number;
  readonly outputBytes: number;
  readonly steps: number;
  readonly milliseconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  nestedCalls: 64,
  outputBytes: 10_000_000,
  steps: 1_000_000,
  milliseconds: 200,
};

export interface RenderOptions {
  /** Milliseconds since 1970 that `now` returns. */
  readonly now: number;
  /** Milliseconds that only grow, for the deadline; CPU time rather than wall time, so that a busy host fails no job. */
  readonly monotonic: () => number;
  readonly limits?: Limits;
  /** What `b64dec` and `b32dec` give for a string that they decoded; as it is by default. */
  readonly decoded?: (encoded: string, text: string) => string;
  /** Derives the keys of `derivePassword`; at once by default. */
  readonly deriveKey?: DeriveKey;
}

export interface Rendered {
  readonly text: string;
  /** The place in a template that wrote the character at an index of the text. */
  readonly placeAt: (index: number) => Place;
}

/** Parsed templates that know each other by name. */
export interface TemplateSet {
  readonly names: readonly string[];
  readonly has: (name: string) => boolean;
  /** Executes one template; throws TemplateError. */
  readonly render: (name: string, data: Value, options: RenderOptions) => Sliced<Rendered>;
}

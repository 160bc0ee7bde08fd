/** Functions of sprig and Helm that read and write JSON and YAML, and Helm's include, tpl and required. */
import type { Sliced } from '../../system/slices.ts';
import { GoError } from '../contract.ts';
import { any, define, defineSliced, string } from '../definition.ts';
import { NilSlice } from '../nil-values.ts';
import type { Budget, TemplateFunction, Value } from '../values.ts';
import { YamlError } from '../yaml/yaml-cursor.ts';
import { LENIENT, readYaml, type YamlNode } from '../yaml/yaml-reader.ts';
import { type Plain, writeYaml, type YamlStyle } from '../yaml/yaml-writer.ts';
import { decodeJson } from './go-json.ts';
import { type JsonStyle, jsonString, jsonText, plainOf } from './plain-value.ts';

const COMPACT: JsonStyle = { escapesHtml: true, indent: 0 };
const PRETTY: JsonStyle = { escapesHtml: true, indent: 2 };
const RAW: JsonStyle = { escapesHtml: false, indent: 0 };

function* toJson(value: Value, style: JsonStyle, budget: Budget): Sliced<string> {
  return yield* jsonText(yield* plainOf(value, budget), style, budget);
}

/** As `toJson` of sprig does, errors give an empty text. */
const toJsonOrNothing =
  (style: JsonStyle) =>
  ([value]: readonly [Value], budget: Budget): Sliced<string> =>
    orElse(
      () => toJson(value, style, budget),
      () => '',
    );

const LONGEST_KEY = 1024;
const SPACES_AT_END = /(?<! ) +$/;

/** The result, or a replacement made from the error where Go ignores or wraps it. */
function* orElse<T>(compute: () => Sliced<T>, replacement: (message: string) => T): Sliced<T> {
  try {
    return yield* compute();
  } catch (error) {
    if (error instanceof GoError) return replacement(error.message);
    throw error;
  }
}

/** Items of a list or map between two places where other work may run. */
const PAUSE_ITEMS = 64;

/** Helm's toYaml goes through JSON: a float without fraction becomes an int, a large int a float. */
function* throughJson(value: Plain): Sliced<Plain> {
  if (value instanceof Map) {
    const map = new Map<string, Plain>();
    for (const [key, item] of value) {
      map.set(keyThroughYaml(key), isScalar(item) ? scalarThroughJson(item) : yield* throughJson(item));
      if (map.size % PAUSE_ITEMS === 0) yield;
    }
    return map;
  }
  if (!Array.isArray(value)) return scalarThroughJson(value);
  const list: Plain[] = [];
  for (const item of value) {
    list.push(isScalar(item) ? scalarThroughJson(item) : yield* throughJson(item));
    if (list.length % PAUSE_ITEMS === 0) yield;
  }
  return list;
}

const isScalar = (value: Plain): boolean => typeof value !== 'object' || value === null;

function scalarThroughJson(value: Plain): Plain {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 1e21 ? wholeNumber(BigInt(String(value))) : value;
  if (typeof value === 'bigint') return wholeNumber(value);
  return typeof value === 'string' ? throughYaml(value) : value;
}

const wholeNumber = (value: bigint): Plain => (value >= 2n ** 64n || value < -(2n ** 63n) ? Number(value) : value);

/** JSON in quotes read as YAML: U+0085 is a line break there, and some characters are not allowed. */
function throughYaml(original: string): string {
  const text = original.toWellFormed();
  if (/[\x7f-\x84\x86-\x9f\ufffe\uffff]/.test(text)) throw new GoError('yaml: control characters are not allowed');
  const [first = '', ...lines] = text.split('\u0085');
  if (lines.length === 0) return text;
  let result = first.replace(SPACES_AT_END, '');
  let breaks = 0;
  for (const [i, line] of lines.entries()) {
    const isLast = i === lines.length - 1;
    const content = isLast ? line.replace(/^ +/, '') : line.replace(/^ +/, '').replace(SPACES_AT_END, '');
    breaks++;
    if (content === '' && !isLast) continue;
    result += ('\n'.repeat(breaks - 1) || ' ') + content;
    breaks = 0;
  }
  return result;
}

/** A key of JSON must be a simple key of YAML: on one line, and not too long. */
function keyThroughYaml(key: string): string {
  if (key.includes('\u0085') || jsonString(key, true).length > LONGEST_KEY) {
    throw new GoError("yaml: could not find expected ':'");
  }
  return throughYaml(key);
}

function* toYaml(value: Value, style: YamlStyle, budget: Budget): Sliced<string> {
  const plain = yield* plainOf(value, budget);
  const text = yield* writeYaml(style === 'go-yaml-2' ? yield* throughJson(plain) : plain, style);
  budget.reserve(text.length);
  return text.replace(/\n$/, '');
}

/** A document as Helm sees it, through JSON: all numbers are float64. */
function* helmValue(node: YamlNode): Sliced<Value> {
  switch (node.kind) {
    case 'list': {
      const list: Value[] = [];
      for (const item of node.items) {
        list.push(item.kind === 'scalar' ? helmScalar(item.value) : yield* helmValue(item));
        if (list.length % PAUSE_ITEMS === 0) yield;
      }
      return list;
    }
    case 'map': {
      const map = new Map<string, Value>();
      for (const [key, { value }] of node.entries) {
        map.set(key, value.kind === 'scalar' ? helmScalar(value.value) : yield* helmValue(value));
        if (map.size % PAUSE_ITEMS === 0) yield;
      }
      return map;
    }
    case 'scalar':
      return helmScalar(node.value);
  }
}

function helmScalar(value: (YamlNode & { readonly kind: 'scalar' })['value']): Value {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    const shown = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
    throw new GoError(`error converting YAML to JSON: json: unsupported value: ${shown}`);
  }
  return typeof value === 'string' ? value.toWellFormed() : value;
}

function* fromYaml(text: string): Sliced<Value> {
  try {
    const node = yield* readYaml(text, LENIENT);
    return node === undefined ? null : yield* helmValue(node);
  } catch (error) {
    if (error instanceof YamlError) throw new GoError(`error converting YAML to JSON: yaml: ${error.goMessage}`);
    throw error;
  }
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['string', 'string'],
  ['number', 'number'],
  ['boolean', 'bool'],
]);

/** A map, as Go decodes JSON into an empty one; what is no map is an error. */
function asMap(value: Value, prefix: string): Map<string, Value> {
  if (value === null || value === undefined) return new Map();
  if (value instanceof Map) return value;
  const kind = Array.isArray(value) ? 'array' : KINDS.get(typeof value);
  throw new GoError(`${prefix}json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`);
}

function asList(value: Value, prefix: string): Value {
  if (Array.isArray(value) || value instanceof NilSlice) return value;
  const kind = value instanceof Map ? 'object' : KINDS.get(typeof value);
  throw new GoError(`${prefix}json: cannot unmarshal ${kind} into Go value of type []interface {}`);
}

const JSON_PREFIX = 'error unmarshaling JSON: while decoding JSON: ';

export const DOCUMENT_FUNCTIONS: readonly TemplateFunction[] = [
  ...defineSliced('toJson', [any], toJsonOrNothing(COMPACT)),
  ...defineSliced('mustToJson', [any], ([value], budget) => toJson(value, COMPACT, budget)),
  ...defineSliced('toPrettyJson', [any], toJsonOrNothing(PRETTY)),
  ...defineSliced('mustToPrettyJson', [any], ([value], budget) => toJson(value, PRETTY, budget)),
  ...defineSliced('toRawJson mustToRawJson', [any], ([value], budget) => toJson(value, RAW, budget)),
  ...defineSliced('fromJson', [string], ([text]) =>
    orElse<Value>(
      () => decodeJson(text),
      () => null,
    ),
  ),
  ...defineSliced('mustFromJson', [string], ([text]) => decodeJson(text)),
  ...defineSliced('fromJsonArray', [string], ([text]) =>
    orElse<Value>(
      function* () {
        return asList((yield* decodeJson(text)) ?? new NilSlice('interface {}'), '');
      },
      (message) => [message],
    ),
  ),
  ...defineSliced('toYaml', [any], ([value], budget) =>
    orElse(
      () => toYaml(value, 'go-yaml-2', budget),
      () => '',
    ),
  ),
  ...defineSliced('mustToYaml', [any], ([value], budget) => toYaml(value, 'go-yaml-2', budget)),
  ...defineSliced('toYamlPretty', [any], ([value], budget) =>
    orElse(
      () => toYaml(value, 'go-yaml-3', budget),
      () => '',
    ),
  ),
  ...defineSliced('fromYaml', [string], ([text]) =>
    orElse<Value>(
      function* () {
        return asMap(yield* fromYaml(text), JSON_PREFIX);
      },
      (message) => new Map([['Error', message]]),
    ),
  ),
  ...defineSliced('fromYamlArray', [string], ([text]) =>
    orElse<Value>(
      function* () {
        return asList((yield* fromYaml(text)) ?? [], JSON_PREFIX);
      },
      (message) => [message],
    ),
  ),
  ...defineSliced('include', [string, any], ([name, data], context) => context.render(name, data)),
  ...defineSliced('tpl', [string, any], ([text, data], context) => context.renderText(text, data)),
  ...define('required', [string, any], ([message, value]) => {
    if (value === null || value === '') throw new GoError(message);
    return value;
  }),
];

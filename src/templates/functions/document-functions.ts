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

const toJson = (value: Value, style: JsonStyle, budget: Budget): string =>
  jsonText(plainOf(value, budget), style, budget);

const LONGEST_KEY = 1024;
const SPACES_AT_END = /(?<! ) +$/;

/** The result, or a replacement made from the error where Go ignores or wraps it. */
function orElse<T>(compute: () => T, replacement: (message: string) => T): T {
  try {
    return compute();
  } catch (error) {
    if (error instanceof GoError) return replacement(error.message);
    throw error;
  }
}

/** The same for functions during which other work runs. */
function* slicedOrElse<T>(compute: () => Sliced<T>, replacement: (message: string) => T): Sliced<T> {
  try {
    return yield* compute();
  } catch (error) {
    if (error instanceof GoError) return replacement(error.message);
    throw error;
  }
}

/** Helm's toYaml goes through JSON: a float without fraction becomes an int, a large int a float. */
function throughJson(value: Plain): Plain {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 1e21 ? wholeNumber(BigInt(String(value))) : value;
  if (typeof value === 'bigint') return wholeNumber(value);
  if (typeof value === 'string') return throughYaml(value);
  if (Array.isArray(value)) return value.map(throughJson);
  if (!(value instanceof Map)) return value;
  return new Map([...value].map(([key, item]) => [keyThroughYaml(key), throughJson(item)]));
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
  const plain = plainOf(value, budget);
  yield;
  const text = yield* writeYaml(style === 'go-yaml-2' ? throughJson(plain) : plain, style);
  budget.reserve(text.length);
  return text.replace(/\n$/, '');
}

/** A document as Helm sees it, through JSON: all numbers are float64. */
function helmValue(node: YamlNode): Value {
  switch (node.kind) {
    case 'list':
      return node.items.map(helmValue);
    case 'map':
      return new Map([...node.entries].map(([key, { value }]) => [key, helmValue(value)]));
    case 'scalar': {
      if (typeof node.value === 'bigint') return Number(node.value);
      if (typeof node.value === 'number' && !Number.isFinite(node.value)) {
        const shown = Number.isNaN(node.value) ? 'NaN' : node.value > 0 ? '+Inf' : '-Inf';
        throw new GoError(`error converting YAML to JSON: json: unsupported value: ${shown}`);
      }
      return typeof node.value === 'string' ? node.value.toWellFormed() : node.value;
    }
  }
}

function* fromYaml(text: string): Sliced<Value> {
  try {
    const node = yield* readYaml(text, LENIENT);
    yield;
    return node === undefined ? null : helmValue(node);
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
  ...define('toJson', [any], ([value], budget) =>
    orElse(
      () => toJson(value, COMPACT, budget),
      () => '',
    ),
  ),
  ...define('mustToJson', [any], ([value], budget) => toJson(value, COMPACT, budget)),
  ...define('toPrettyJson', [any], ([value], budget) =>
    orElse(
      () => toJson(value, PRETTY, budget),
      () => '',
    ),
  ),
  ...define('mustToPrettyJson', [any], ([value], budget) => toJson(value, PRETTY, budget)),
  ...define('toRawJson mustToRawJson', [any], ([value], budget) => toJson(value, RAW, budget)),
  ...define('fromJson', [string], ([text]) =>
    orElse<Value>(
      () => decodeJson(text),
      () => null,
    ),
  ),
  ...define('mustFromJson', [string], ([text]) => decodeJson(text)),
  ...define('fromJsonArray', [string], ([text]) =>
    orElse<Value>(
      () => asList(decodeJson(text) ?? new NilSlice('interface {}'), ''),
      (message) => [message],
    ),
  ),
  ...defineSliced('toYaml', [any], ([value], budget) =>
    slicedOrElse(
      () => toYaml(value, 'go-yaml-2', budget),
      () => '',
    ),
  ),
  ...defineSliced('mustToYaml', [any], ([value], budget) => toYaml(value, 'go-yaml-2', budget)),
  ...defineSliced('toYamlPretty', [any], ([value], budget) =>
    slicedOrElse(
      () => toYaml(value, 'go-yaml-3', budget),
      () => '',
    ),
  ),
  ...defineSliced('fromYaml', [string], ([text]) =>
    slicedOrElse<Value>(
      function* () {
        return asMap(yield* fromYaml(text), JSON_PREFIX);
      },
      (message) => new Map([['Error', message]]),
    ),
  ),
  ...defineSliced('fromYamlArray', [string], ([text]) =>
    slicedOrElse<Value>(
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

/**
 * Renders a launcher template and reads its output as a Kubernetes object: one YAML document by the rules of Kubernetes.
 * Errors name template, line and column; what is rendered from the data of a job is only for the log.
 */

import { isObject } from '../../system/json.ts';
import type { Sliced } from '../../system/slices.ts';
import { type Place, type Rendered, TemplateError, type TemplateSet } from '../../templates/contract.ts';
import { DerivedKeys, PendingKey } from '../../templates/derived-keys.ts';
import { YamlError } from '../../templates/yaml/yaml-cursor.ts';
import { readYaml, STRICT, type YamlNode } from '../../templates/yaml/yaml-reader.ts';
import { JobError } from '../job-error.ts';
import { CONTAINER_NAME } from './annotations.ts';
import { setOwn, type TemplateData, templateValue } from './template-data.ts';

/** The templates in use, and what they may know of time. */
export interface Templating {
  readonly set: TemplateSet;
  /** Milliseconds since 1970 that `now` returns; the same for all renderings of a job. */
  readonly now: number;
  /** Milliseconds of CPU time, for the limit of a rendering. */
  readonly cpuTime: () => number;
}

export type TemplateName = 'job.tpl' | 'service.tpl';

/** JSON of an object as it was rendered. */
type JsonObject = Readonly<Record<string, unknown>>;

/** The result of one rendering. */
export interface RenderedObject {
  readonly template: TemplateName;
  readonly object: JsonObject;
  readonly text: string;
  /** Where in the template the value at a path was written. */
  readonly placeOf: (path: readonly (string | number)[]) => string;
}

const placeText = ({ template, line, column }: Place): string =>
  `${template}:${line}${column === undefined ? '' : `:${column}`}`;

/** A refusal that names the template; `logged` may hold what was rendered. */
export function templateRefusal(place: string, why: string, logged = why): JobError {
  const sentence = (text: string): string => `The template ${place} cannot be used for this job: ${text}.`;
  return new JobError('invalid-request', sentence(why), { logged: sentence(logged) });
}

/** What `b64dec` and `b32dec` give for a string that they decoded. */
type Decoding = (encoded: string, text: string) => string;

/** Throws TemplateError. */
export function* renderText(
  { set, now, cpuTime }: Templating,
  template: TemplateName,
  data: TemplateData,
  decoded: Decoding,
): Sliced<Rendered> {
  const keys = new DerivedKeys();
  for (;;) {
    const value = yield* templateValue(data);
    yield;
    try {
      return yield* set.render(template, value, { now, monotonic: cpuTime, decoded, deriveKey: keys.derive });
    } catch (error) {
      if (!(error instanceof PendingKey)) throw error;
      yield error.ready;
    }
  }
}

/** What kinds of errors mean, in words that hold no data. */
function reasonOf({ kind, reason }: TemplateError): string {
  if (kind === 'limit') return reason;
  return `an error of kind ${kind}; the log has the message`;
}

/** The refusal of a job for which a template cannot be executed. */
export const refusalOf = (error: TemplateError): JobError =>
  templateRefusal(placeText(error.place), reasonOf(error), error.reason);

/** Renders a template for a job. Undefined: it rendered nothing. Throws JobError 'invalid-request'. */
export function* renderObject(
  templating: Templating,
  template: TemplateName,
  data: TemplateData,
  decoded: Decoding,
): Sliced<RenderedObject | undefined> {
  try {
    return yield* readRendered(template, yield* renderText(templating, template, data, decoded));
  } catch (error) {
    throw error instanceof TemplateError ? refusalOf(error) : error;
  }
}

/** Reads rendered text as an object. Undefined: there is none. Throws JobError invalid-request. */
export function* readRendered(template: TemplateName, rendered: Rendered): Sliced<RenderedObject | undefined> {
  const { text, placeAt } = rendered;
  let node: YamlNode | undefined;
  try {
    node = yield* readYaml(text, STRICT);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const line = lineAt(text, error.offset);
    throw templateRefusal(
      placeText(placeAt(Math.min(error.offset, Math.max(0, text.length - 1)))),
      error.message,
      `${error.message}; rendered line: ${JSON.stringify(line)}`,
    );
  }
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return undefined;
  yield;
  const root = node;
  const placeOf = (path: readonly (string | number)[]): string => placeText(placeAt(offsetOf(root, path)));
  const object = yield* jsonOf(root);
  if (!isObject(object)) throw templateRefusal(placeOf([]), 'it renders no object');
  return { template, object, text, placeOf };
}

/** At most 200 characters of the line at an index. */
function lineAt(text: string, offset: number): string {
  const begin = text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1;
  const end = text.indexOf('\n', begin);
  return text.slice(begin, Math.min(end < 0 ? text.length : end, begin + 200));
}

function offsetOf(node: YamlNode, path: readonly (string | number)[]): number {
  let current = node;
  for (const step of path) {
    const next =
      current.kind === 'map' && typeof step === 'string'
        ? current.entries.get(step)?.value
        : current.kind === 'list' && typeof step === 'number'
          ? current.items[step]
          : undefined;
    if (next === undefined) break;
    current = next;
  }
  return current.offset;
}

/** Items and fields between two places where other work may run. */
const PAUSE_ITEMS = 256;

function* jsonOf(node: YamlNode): Sliced<unknown> {
  let count = 0;
  switch (node.kind) {
    case 'scalar':
      return jsonScalar(node);
    case 'list': {
      const items: unknown[] = [];
      for (const item of node.items) {
        items.push(item.kind === 'scalar' ? jsonScalar(item) : yield* jsonOf(item));
        if (++count % PAUSE_ITEMS === 0) yield;
      }
      return items;
    }
    case 'map': {
      const object: Record<string, unknown> = {};
      for (const [key, { value }] of node.entries) {
        // `__proto__` is a field as any other.
        setOwn(object, key, value.kind === 'scalar' ? jsonScalar(value) : yield* jsonOf(value));
        if (++count % PAUSE_ITEMS === 0) yield;
      }
      return object;
    }
  }
}

const jsonScalar = ({ value }: YamlNode & { readonly kind: 'scalar' }): unknown =>
  typeof value === 'bigint' ? Number(value) : value;

/** Fields that must be objects, and lists of objects. */
const OBJECTS: readonly (readonly string[])[] = [
  ['metadata'],
  ['metadata', 'labels'],
  ['metadata', 'annotations'],
  ['spec'],
  ['spec', 'selector'],
  ['spec', 'template'],
  ['spec', 'template', 'metadata'],
  ['spec', 'template', 'metadata', 'labels'],
  ['spec', 'template', 'metadata', 'annotations'],
  ['spec', 'template', 'spec'],
  ['spec', 'template', 'spec', 'securityContext'],
  ['spec', 'template', 'spec', 'nodeSelector'],
];
const LISTS: readonly (readonly string[])[] = [
  ['spec', 'ports'],
  ['spec', 'template', 'spec', 'containers'],
  ['spec', 'template', 'spec', 'initContainers'],
  ['spec', 'template', 'spec', 'volumes'],
  ['spec', 'template', 'spec', 'tolerations'],
  ['spec', 'template', 'spec', 'imagePullSecrets'],
];
const CONTAINER_LISTS: readonly string[] = ['env', 'envFrom', 'ports', 'volumeMounts', 'volumeDevices'];

const LABEL_FIELDS: ReadonlySet<string> = new Set(['labels', 'annotations', 'nodeSelector']);

/** Refuses an object that is no `kind`, or that has another type where the plugin reads it. */
export function checkShape(rendered: RenderedObject, apiVersion: string, kind: string): void {
  const { object, placeOf, template } = rendered;
  if (object['apiVersion'] !== apiVersion || object['kind'] !== kind)
    throw templateRefusal(template, `it does not render an object with apiVersion: ${apiVersion} and kind: ${kind}`);
  for (const path of OBJECTS) {
    const value = valueAt(object, path);
    if (value === undefined || value === null) continue;
    if (!isObject(value)) throw templateRefusal(placeOf(path), `${path.join('.')} is not an object`);
    if (!LABEL_FIELDS.has(path.at(-1) ?? '')) continue;
    const wrong = Object.keys(value).find((key) => typeof value[key] !== 'string');
    if (wrong !== undefined)
      throw templateRefusal(placeOf([...path, wrong]), `${path.join('.')}.${wrong} is not a string; quote it`);
  }
  for (const path of LISTS) checkObjects(rendered, path);
  if (kind !== 'Job') return;
  const pod = ['spec', 'template', 'spec'];
  for (const field of ['containers', 'initContainers']) {
    const containers = valueAt(object, [...pod, field]);
    if (!Array.isArray(containers)) continue;
    for (const index of containers.keys()) {
      for (const list of CONTAINER_LISTS) checkObjects(rendered, [...pod, field, index, list]);
      checkSecurityContext(rendered, [...pod, field, index, 'securityContext']);
    }
  }
  const containers = valueAt(object, [...pod, 'containers']);
  const main = (Array.isArray(containers) ? containers : []).filter(({ name }) => name === CONTAINER_NAME);
  if (main.length !== 1)
    throw templateRefusal(
      placeOf([...pod, 'containers']),
      `it renders ${main.length} containers ${CONTAINER_NAME}, not one`,
    );
}

function checkObjects({ object, placeOf }: RenderedObject, path: readonly (string | number)[]): void {
  const value = valueAt(object, path);
  if (value === undefined || value === null) return;
  if (!Array.isArray(value)) throw templateRefusal(placeOf(path), `${path.join('.')} is not a list`);
  const wrong = value.findIndex((item) => !isObject(item));
  if (wrong >= 0) throw templateRefusal(placeOf([...path, wrong]), `${path.join('.')}.${wrong} is not an object`);
}

function checkSecurityContext({ object, placeOf }: RenderedObject, path: readonly (string | number)[]): void {
  for (const inner of [path, [...path, 'capabilities']]) {
    const value = valueAt(object, inner);
    if (value !== undefined && value !== null && !isObject(value))
      throw templateRefusal(placeOf(inner), `${inner.join('.')} is not an object`);
  }
  for (const field of ['add', 'drop']) {
    const value = valueAt(object, [...path, 'capabilities', field]);
    const isStrings = Array.isArray(value) && value.every((item) => typeof item === 'string');
    if (value !== undefined && value !== null && !isStrings)
      throw templateRefusal(placeOf([...path, 'capabilities', field]), `${field} is not a list of strings`);
  }
}

export function valueAt(object: unknown, path: readonly (string | number)[]): unknown {
  let value = object;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}

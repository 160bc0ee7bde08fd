/**
 * Label and field selectors: `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x)`, `a`, `!a`, joined by commas.
 */
import type { StoredObject } from '../model.ts';
import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';

export type Matcher = (object: StoredObject) => boolean;

const ALL: Matcher = () => true;

interface Requirement {
  readonly key: string;
  readonly values: readonly string[];
  /** A label that is not there: does it match? */
  readonly absent: boolean;
  readonly wanted: boolean;
}

const KEY = /^(!?)\s*([\w.][\w./-]*)\s*/;
const OPERATOR = /^(==|=|!=|in\b|notin\b)\s*/;
const VALUE = /^([\w.-]*)\s*/;
const SET = /^\(([^()]*)\)\s*/;

function parseLabels(text: string): Requirement[] {
  const requirements: Requirement[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const key = KEY.exec(rest);
    if (key?.[2] === undefined) {
      const found = /^(==|=|!=|,|\(|\)|\S+)/.exec(rest)?.[1] ?? '';
      throw badRequest(`found '${found}', expected: !, identifier, or 'end of string'`);
    }
    rest = rest.slice(key[0].length);
    const operator = OPERATOR.exec(rest)?.[1];
    if (key[1] === '!') {
      requirements.push({ key: key[2], values: [], absent: true, wanted: false });
    } else if (operator === undefined) {
      requirements.push({ key: key[2], values: [], absent: false, wanted: false });
    } else {
      rest = rest.slice(OPERATOR.exec(rest)?.[0].length ?? 0);
      const set = operator.endsWith('in');
      const value = (set ? SET : VALUE).exec(rest);
      if (value?.[1] === undefined) throw badRequest(`found '${rest.slice(0, 1)}', expected: '('`);
      rest = rest.slice(value[0].length);
      const negative = operator === '!=' || operator === 'notin';
      const values = set ? value[1].split(',').map((one) => one.trim()) : [value[1]];
      requirements.push({ key: key[2], values, absent: negative, wanted: !negative });
    }
    if (rest === '') break;
    if (!rest.startsWith(',')) throw badRequest(`found '${rest.split(/\s/)[0]}', expected: ',' or 'end of string'`);
    rest = rest.slice(1).trim();
  }
  return requirements;
}

/** @throws ApiError 400 for a selector that cannot be read */
export function labelSelector(text: string | undefined): Matcher {
  if (text === undefined || text === '') return ALL;
  const requirements = parseLabels(text);
  return (object) => matchesLabels(object.metadata.labels ?? {}, requirements);
}

function matchesLabels(labels: Readonly<Record<string, string>>, requirements: readonly Requirement[]): boolean {
  return requirements.every(({ key, values, absent, wanted }) => {
    const value = labels[key];
    if (value === undefined) return absent;
    if (values.length === 0) return !absent;
    return values.includes(value) === wanted;
  });
}

/** The value at a path of an object, as a field selector compares it: absent is ''. */
function fieldValue(object: StoredObject, path: readonly string[]): string {
  let value: unknown = object;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return '';
    value = Object.entries(value).find(([name]) => name === key)?.[1];
  }
  return value === undefined || value === null ? '' : String(value);
}

/** @throws ApiError 400 for a field that this kind cannot be selected by */
function fieldSelector(resource: Resource, text: string | undefined): Matcher {
  if (text === undefined || text === '') return ALL;
  const fields: Readonly<Record<string, readonly string[]>> = {
    'metadata.name': ['metadata', 'name'],
    ...(resource.namespaced ? { 'metadata.namespace': ['metadata', 'namespace'] } : {}),
    ...resource.fields,
  };
  const terms = text.split(',').map((term) => {
    const match = /^\s*([^=!]+?)\s*(==|=|!=)(.*)$/.exec(term);
    if (match?.[1] === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const path = fields[match[1]];
    if (path === undefined) throw badRequest(`field label "${match[1]}" not supported for ${resource.kind}`);
    return { path, equal: match[2] !== '!=', value: match[3] ?? '' };
  });
  return (object) => terms.every(({ path, equal, value }) => (fieldValue(object, path) === value) === equal);
}

/** Both must match. */
export function bothSelectors(resource: Resource, labels: string | undefined, fields: string | undefined): Matcher {
  const byLabel = labelSelector(labels);
  const byField = fieldSelector(resource, fields);
  return (object) => byLabel(object) && byField(object);
}

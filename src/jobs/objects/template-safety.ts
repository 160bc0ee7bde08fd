/**
 * No text of a job changes what a template says: text that could be read as structure of YAML is rendered twice more in
 * harmless forms, and all three objects must agree. A difference is refused, naming the field and the line of the template.
 */
import { isObject, jsonIn } from '../../system/json.ts';
import { TemplateError } from '../../templates/contract.ts';
import { JobError } from '../job-error.ts';
import {
  type RenderedObject,
  readRendered,
  renderObject,
  renderText,
  type TemplateName,
  type Templating,
  templateRefusal,
} from './from-template.ts';
import { mapFreeText, pathText, pathTo, type TemplateData } from './template-data.ts';

type Path = readonly (string | number)[];

/** An object that was rendered for a job. */
interface SafeObject {
  readonly rendered: RenderedObject;
  /** The strings in it that came from text of the job. */
  readonly fromJob: readonly string[];
}

/** Renders a template for a job. Undefined: it rendered nothing. Throws JobError 'invalid-request'. */
export function renderSafely(
  templating: Templating,
  template: TemplateName,
  data: TemplateData,
): SafeObject | undefined {
  const rendered = renderObject(templating, template, data);
  const risky = riskyTexts(data);
  if (risky.length === 0) return rendered && { rendered, fromJob: [] };
  const trials = new Trials(templating, template, data);
  const output = rendered?.text ?? '';
  let plan: Plan = new Map(risky.map(({ key }): [number, 'text'] => [key, 'text']));
  let agreed = trials.agreement(plan, rendered);
  if (agreed === undefined) {
    plan = trials.planFor(risky, output);
    agreed = trials.agreement(plan, rendered) ?? trials.agreement(withJson(plan, risky, output), rendered);
  }
  if (agreed === undefined) throw trials.refusal(risky, plan, rendered);
  return rendered && { rendered, fromJob: stringsFromJob(rendered.object, agreed.first, agreed.second) };
}

/** JSON strings of one job that a template may parse: each is searched for in the output. */
const MOST_JSON = 20;
const JSON_BEGIN = /^\s*[[{]/;

/**
 * The plan with JSON strings as harmless JSON, for templates that parse them (`fromJson` reports no error). Not those that
 * the output has, with whatever spaces: written as they are, their structure would be the one of the template.
 */
function withJson(plan: Plan, risky: readonly RiskyText[], output: string): Plan {
  const plain = (text: string): string => text.replace(/\s+/g, '').toLowerCase();
  const written = plain(output);
  const parsed = risky
    .filter(({ text }) => JSON_BEGIN.test(text) && harmlessJson(text, 'J') !== undefined)
    .slice(0, MOST_JSON)
    .filter(({ text }) => !written.includes(plain(text)));
  return new Map([...plan, ...parsed.map(({ key }): [number, 'json'] => [key, 'json'])]);
}

interface RiskyText {
  /** Its number among the strings of the data. */
  readonly key: number;
  readonly path: Path;
  readonly text: string;
}

function riskyTexts(data: TemplateData): readonly RiskyText[] {
  const found: RiskyText[] = [];
  mapFreeText(data, (text, key, position) => {
    if (riskyIndices(text).length > 0) found.push({ key, path: pathTo(position), text });
    return text;
  });
  return found;
}

const ALWAYS: ReadonlySet<string> = new Set('\n\r\u0085\u2028\u2029\t[]{},"\'`');
const SPACES: ReadonlySet<string> = new Set(' \t\n\r\u0085\u2028\u2029');

/** Markers of documents, of list items and keys, and indicators of anchors, tags, block scalars and comments. */
const BEGINNING = /^(?:---|\.\.\.|[-?:](?=$|[ \t])|[&*!|>%@#])/;

const MAY_BE_RISKY = /[\n\r\u0085\u2028\u2029\t[\]{},"'`:#]|^[-?.&*!|>%@]/;
const NONE: readonly number[] = [];

/** The indices of characters that YAML could read as structure where they are. */
function riskyIndices(text: string): readonly number[] {
  if (!MAY_BE_RISKY.test(text)) return NONE;
  const indices: number[] = [];
  const beginning = BEGINNING.exec(text)?.[0].length ?? 0;
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    const isRisky =
      index < beginning ||
      ALWAYS.has(character) ||
      (character === ':' && (index === text.length - 1 || SPACES.has(text.charAt(index + 1)))) ||
      (character === '#' && SPACES.has(text.charAt(index - 1)));
    if (isRisky) indices.push(index);
  }
  return indices;
}

/** The text with a letter in place of each of those characters. */
function harmless(text: string, letter: string): string {
  const parts: string[] = [];
  let from = 0;
  for (const index of riskyIndices(text)) {
    parts.push(text.slice(from, index), letter);
    from = index + 1;
  }
  return parts.join('') + text.slice(from);
}

/** JSON text with harmless strings and names in it; undefined if the text is no JSON object or list. */
function harmlessJson(text: string, letter: string): string | undefined {
  const visit = (value: unknown): unknown => {
    if (typeof value === 'string') return harmless(value, letter);
    if (Array.isArray(value)) return value.map(visit);
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [harmless(key, letter), visit(inner)]));
  };
  const value = jsonIn(text);
  return typeof value === 'object' && value !== null ? JSON.stringify(visit(value)) : undefined;
}

/** What each risky text is replaced by, by its number. Those without an entry stay as they are. */
type Plan = ReadonlyMap<number, 'text' | 'json'>;

/** An object that no object agrees with. */
const FAILED = Symbol('failed');

/** CPU time for finding the fields that a template parses, and the field that makes a difference. */
const SEARCH_MS = 500;
/** Renderings of one search. */
const MOST_TRIALS = 200;

/** Renders one template with parts of its data replaced. */
class Trials {
  readonly #templating: Templating;
  readonly #template: TemplateName;
  readonly #data: TemplateData;
  readonly #endAt: number;
  #left = MOST_TRIALS;

  constructor(templating: Templating, template: TemplateName, data: TemplateData) {
    this.#templating = templating;
    this.#template = template;
    this.#data = data;
    this.#endAt = templating.cpuTime() + SEARCH_MS;
  }

  /**
   * How each text is made harmless: what the template parses as JSON stays JSON. A text that it parses otherwise
   * stays as it is, which is refused if the output has it.
   */
  planFor(risky: readonly RiskyText[], output: string): Plan {
    const plan = new Map(risky.map(({ key }): [number, 'text' | 'json'] => [key, 'text']));
    if (!this.#failsInFunction(plan)) return plan;
    for (const culprit of this.#search(risky, (part) => this.#failsInFunction(planOf(part, plan)))) {
      if (this.#templating.cpuTime() > this.#endAt) throw this.#uncheckable(culprit);
      plan.set(culprit.key, 'json');
      if (harmlessJson(culprit.text, 'J') !== undefined && !this.#failsInFunction(planOf([culprit], plan))) continue;
      plan.delete(culprit.key);
      if (output.includes(culprit.text)) throw this.#uncheckable(culprit);
    }
    return plan;
  }

  /** Both harmless objects, if they and the real one agree. */
  agreement(
    plan: Plan,
    rendered: RenderedObject | undefined,
  ): { readonly first: unknown; readonly second: unknown } | undefined {
    const [first, second] = this.#harmless(plan) ?? [FAILED, FAILED];
    return differenceOf(rendered?.object, first, second, []) === undefined ? { first, second } : undefined;
  }

  /** The refusal of a job of which a text made a difference. */
  refusal(risky: readonly RiskyText[], plan: Plan, rendered: RenderedObject | undefined): JobError {
    const changes = (part: readonly RiskyText[]): boolean => this.agreement(planOf(part, plan), rendered) === undefined;
    const [culprit] = this.#search(risky, changes);
    const field = culprit === undefined ? 'text of the job' : pathText(culprit.path);
    const [first, second] = this.#harmless(plan) ?? [];
    const at = first === undefined ? undefined : differenceOf(rendered?.object, first, second, []);
    const place = at === undefined ? undefined : rendered?.placeOf(at);
    return templateRefusal(place ?? this.#template, `${field} changes what the template says; write toYaml, indented`);
  }

  /** Both harmless objects; undefined if one cannot be rendered. */
  #harmless(plan: Plan): readonly unknown[] | undefined {
    try {
      return ['J', 'Q'].map((letter) => this.#render(plan, letter)?.object);
    } catch (error) {
      if (error instanceof TemplateError || error instanceof JobError) return undefined;
      throw error;
    }
  }

  #uncheckable({ path }: RiskyText): JobError {
    return templateRefusal(this.#template, `${pathText(path)} cannot be checked; write toYaml, indented`);
  }

  #failsInFunction(plan: Plan): boolean {
    try {
      this.#render(plan, 'J');
      return false;
    } catch (error) {
      if (error instanceof TemplateError) return error.kind === 'function';
      if (error instanceof JobError) return false;
      throw error;
    }
  }

  #render(plan: Plan, letter: string): RenderedObject | undefined {
    const data = mapFreeText(this.#data, (text, number) => {
      const way = plan.get(number);
      if (way === undefined) return text;
      return way === 'text' ? harmless(text, letter) : (harmlessJson(text, letter) ?? text);
    });
    return readRendered(this.#template, renderText(this.#templating, this.#template, data));
  }

  /** The parts that make a condition true, found by halving. Ends early when the time is over. */
  #search(texts: readonly RiskyText[], holds: (part: readonly RiskyText[]) => boolean): readonly RiskyText[] {
    if (texts.length === 0 || this.#left-- <= 0 || this.#templating.cpuTime() > this.#endAt || !holds(texts)) return [];
    if (texts.length === 1) return texts;
    const half = Math.ceil(texts.length / 2);
    return [...this.#search(texts.slice(0, half), holds), ...this.#search(texts.slice(half), holds)];
  }
}

const planOf = (part: readonly RiskyText[], plan: Plan): Plan =>
  new Map(part.flatMap(({ key }) => (plan.has(key) ? [[key, plan.get(key) ?? 'text'] as const] : [])));

/**
 * The first path at which the objects disagree: in fields, lengths, types, numbers or booleans, or in a string that is the
 * same in both harmless objects and another one in the real one.
 */
function differenceOf(real: unknown, first: unknown, second: unknown, path: Path): Path | undefined {
  if (typeof real === 'string' && typeof first === 'string' && typeof second === 'string')
    return first === second && real !== first ? path : undefined;
  if (Array.isArray(real) && Array.isArray(first) && Array.isArray(second)) {
    if (real.length !== first.length || real.length !== second.length) return path;
    for (const [index, item] of real.entries()) {
      const found = differenceOf(item, first[index], second[index], [...path, index]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (isObject(real) && isObject(first) && isObject(second)) {
    const keys = Object.keys(real);
    if (keys.length !== Object.keys(first).length || keys.length !== Object.keys(second).length) return path;
    for (const key of keys) {
      if (!Object.hasOwn(first, key) || !Object.hasOwn(second, key)) return [...path, key];
      const found = differenceOf(real[key], first[key], second[key], [...path, key]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return real === first && real === second ? undefined : path;
}

function stringsFromJob(real: unknown, first: unknown, second: unknown): readonly string[] {
  if (typeof real === 'string') return first === second ? [] : [real];
  if (typeof real !== 'object' || real === null) return [];
  const at = (value: unknown, key: string): unknown =>
    isObject(value) || Array.isArray(value) ? Object(value)[key] : undefined;
  return Object.entries(real).flatMap(([key, inner]) => stringsFromJob(inner, at(first, key), at(second, key)));
}

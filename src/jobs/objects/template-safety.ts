/**
 * No text of a job changes what a template says: text that could be read as structure of YAML is rendered twice more in
 * harmless forms, and all three objects must agree. A difference is refused, naming the field and the line of the template.
 */
import { isObject, jsonIn } from '../../system/json.ts';
import { runAtOnce, type Sliced } from '../../system/slices.ts';
import { TemplateError } from '../../templates/contract.ts';
import { JobError } from '../job-error.ts';
import {
  type RenderedObject,
  readRendered,
  refusalOf,
  renderObject,
  renderText,
  type TemplateName,
  type Templating,
  templateRefusal,
} from './from-template.ts';
import { mapFreeText, type Position, pathText, pathTo, type TemplateData } from './template-data.ts';

type Path = readonly (string | number)[];

/** An object that was rendered for a job. */
interface SafeObject {
  readonly rendered: RenderedObject;
  /** The strings in it that came from text of the job. */
  readonly fromJob: readonly string[];
}

/** Renders a template for a job. Undefined: it rendered nothing. Throws JobError 'invalid-request'. */
export function* renderSafely(
  templating: Templating,
  template: TemplateName,
  data: TemplateData,
): Sliced<SafeObject | undefined> {
  const decoded = new Set<string>();
  const isOfJob = textsOf(data);
  const rendered = yield* renderObject(templating, template, data, (encoded, text) => {
    if (isRisky(text) && isOfJob(encoded)) decoded.add(text);
    return text;
  });
  yield;
  const risky = yield* riskyTexts(data);
  if (risky.length === 0 && decoded.size === 0) return rendered && { rendered, fromJob: [] };
  const trials = new Trials(templating, template, data);
  const output = rendered?.text ?? '';
  let plan: Plan = new Map(risky.map(({ key }): [number, 'text'] => [key, 'text']));
  let agreed = yield* trials.agreement(plan, rendered);
  if (agreed === undefined) {
    plan = yield* trials.planFor(risky, output);
    agreed = yield* trials.agreement(plan, rendered);
  }
  if (agreed === undefined) {
    trials.decodesJson = isUnwritten(decoded, output);
    agreed = yield* trials.agreement(yield* withJson(plan, risky, output), rendered);
  }
  if (agreed === undefined) throw yield* trials.refusal(risky, plan, rendered);
  yield;
  return rendered && { rendered, fromJob: stringsFromJob(rendered.object, agreed.first, agreed.second) };
}

/**
 * Whether a string is a part of a text of the job: what `b64dec` makes of it is text of the job as well. Used only where a
 * template decodes, so the strings are joined then.
 */
function textsOf(data: TemplateData): (encoded: string) => boolean {
  let joined: string | undefined;
  return (encoded) => {
    if (joined === undefined) {
      const texts: string[] = [];
      runAtOnce(
        mapFreeText(data, (text) => {
          texts.push(text);
          return text;
        }),
      );
      joined = texts.join('\n');
    }
    return encoded !== '' && joined.includes(encoded);
  };
}

/** The output has none of these strings, with whatever spaces. */
function isUnwritten(texts: ReadonlySet<string>, output: string): boolean {
  if (texts.size > MOST_JSON) return false;
  const written = plain(output);
  return [...texts].every((text) => !written.includes(plain(text)));
}

const plain = (text: string): string => text.replace(/\s+/g, '').toLowerCase();

/** JSON strings of one job that a template may parse: each is searched for in the output. */
const MOST_JSON = 20;
const JSON_BEGIN = /^\s*[[{]/;

/**
 * The plan with JSON strings as harmless JSON, for templates that parse them (`fromJson` reports no error). Not those that
 * the output has, with whatever spaces: written as they are, their structure would be the one of the template.
 */
function* withJson(plan: Plan, risky: readonly RiskyText[], output: string): Sliced<Plan> {
  const written = plain(output);
  const all = new Map(plan);
  let count = 0;
  for (const { key, text } of risky) {
    if (count === MOST_JSON) break;
    if (!JSON_BEGIN.test(text)) continue;
    yield;
    if (harmlessJson(text, 'J') === undefined) continue;
    count++;
    if (!written.includes(plain(text))) all.set(key, 'json');
  }
  return all;
}

interface RiskyText {
  /** Its number among the strings of the data. */
  readonly key: number;
  readonly position: Position;
  readonly text: string;
}

function* riskyTexts(data: TemplateData): Sliced<readonly RiskyText[]> {
  const found: RiskyText[] = [];
  yield* mapFreeText(data, (text, key, position) => {
    if (isRisky(text)) found.push({ key, position, text });
    return text;
  });
  return found;
}

/** Characters that YAML could read as structure where they are. */
const STRUCTURE =
  /[\n\r\u0085\u2028\u2029\t[\]{},"'`\\]|:(?=[ \t\n\r\u0085\u2028\u2029]|$)|(?<=[ \t\n\r\u0085\u2028\u2029])#/g;

/** Markers of documents, of list items and keys, and indicators of anchors, tags, block scalars and comments. */
const BEGINNING = /^(?:---|\.\.\.|[-?:](?=$|[ \t])|[&*!|>%@#])/;

const isRisky = (text: string): boolean => text.search(STRUCTURE) >= 0 || BEGINNING.test(text);

/** The text with a letter in place of each of those characters. */
function harmless(text: string, letter: string): string {
  const beginning = BEGINNING.exec(text)?.[0].length ?? 0;
  return letter.repeat(beginning) + text.slice(beginning).replace(STRUCTURE, letter);
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

/** Both harmless objects of a plan. */
interface Agreement {
  readonly first: unknown;
  readonly second: unknown;
}

/** An object that no object agrees with. */
const FAILED = Symbol('failed');

/** CPU time for finding the fields that a template parses, and the field that makes a difference. */
const SEARCH_MS = 500;
/** Renderings of one search. */
const MOST_TRIALS = 200;

/** An error of a harmless rendering that says something of the text; a limit refuses the job. */
function failureOf(error: unknown): TemplateError | JobError {
  if (error instanceof TemplateError && error.kind === 'limit') throw refusalOf(error);
  if (error instanceof TemplateError || error instanceof JobError) return error;
  throw error;
}

/** Renders one template with parts of its data replaced. */
class Trials {
  readonly #templating: Templating;
  readonly #template: TemplateName;
  readonly #data: TemplateData;
  readonly #endAt: number;
  #left = MOST_TRIALS;
  /** What a template decodes and parses as JSON stays JSON. */
  decodesJson = false;

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
  *planFor(risky: readonly RiskyText[], output: string): Sliced<Plan> {
    const plan = new Map(risky.map(({ key }): [number, 'text' | 'json'] => [key, 'text']));
    if (!(yield* this.#failsInFunction(plan))) return plan;
    for (const culprit of yield* this.#search(risky, (part) => this.#failsInFunction(planOf(part, plan)))) {
      if (this.#templating.cpuTime() > this.#endAt) throw this.#uncheckable(culprit);
      plan.set(culprit.key, 'json');
      const isJson = harmlessJson(culprit.text, 'J') !== undefined;
      if (isJson && !(yield* this.#failsInFunction(planOf([culprit], plan)))) continue;
      plan.delete(culprit.key);
      if (output.includes(culprit.text)) throw this.#uncheckable(culprit);
    }
    return plan;
  }

  /** Both harmless objects, if they and the real one agree. */
  *agreement(plan: Plan, rendered: RenderedObject | undefined): Sliced<Agreement | undefined> {
    const [first, second] = (yield* this.#harmless(plan)) ?? [FAILED, FAILED];
    yield;
    return differenceOf(rendered?.object, first, second) === undefined ? { first, second } : undefined;
  }

  /** The refusal of a job of which a text made a difference. */
  *refusal(risky: readonly RiskyText[], plan: Plan, rendered: RenderedObject | undefined): Sliced<JobError> {
    const trials = this;
    const [culprit] = yield* this.#search(risky, function* (part) {
      return (yield* trials.agreement(planOf(part, plan), rendered)) === undefined;
    });
    const field = culprit === undefined ? 'text of the job' : pathText(pathTo(culprit.position));
    const [first, second] = (yield* this.#harmless(plan)) ?? [];
    const at = first === undefined ? undefined : differenceOf(rendered?.object, first, second);
    const place = at === undefined ? undefined : rendered?.placeOf(at);
    return templateRefusal(place ?? this.#template, `${field} changes what the template says; write toYaml, indented`);
  }

  /** Both harmless objects; undefined if one cannot be rendered. */
  *#harmless(plan: Plan): Sliced<readonly unknown[] | undefined> {
    try {
      const first = yield* this.#render(plan, 'J');
      const second = yield* this.#render(plan, 'Q');
      return [first?.object, second?.object];
    } catch (error) {
      failureOf(error);
      return undefined;
    }
  }

  #uncheckable({ position }: RiskyText): JobError {
    return templateRefusal(this.#template, `${pathText(pathTo(position))} cannot be checked; write toYaml, indented`);
  }

  *#failsInFunction(plan: Plan): Sliced<boolean> {
    try {
      yield* this.#render(plan, 'J');
      return false;
    } catch (error) {
      const failure = failureOf(error);
      return failure instanceof TemplateError && failure.kind === 'function';
    }
  }

  *#render(plan: Plan, letter: string): Sliced<RenderedObject | undefined> {
    const data = yield* mapFreeText(this.#data, (text, number) => {
      const way = plan.get(number);
      if (way === undefined) return text;
      return way === 'text' ? harmless(text, letter) : (harmlessJson(text, letter) ?? text);
    });
    yield;
    const isOfJob = textsOf(data);
    const decoded = (encoded: string, text: string): string => {
      if (!isRisky(text) || !isOfJob(encoded)) return text;
      return (this.decodesJson ? harmlessJson(text, letter) : undefined) ?? harmless(text, letter);
    };
    const output = yield* renderText(this.#templating, this.#template, data, decoded);
    return yield* readRendered(this.#template, output);
  }

  /** The parts that make a condition true, found by halving. Ends early when the time is over. */
  *#search(
    texts: readonly RiskyText[],
    holds: (part: readonly RiskyText[]) => Sliced<boolean>,
  ): Sliced<readonly RiskyText[]> {
    if (texts.length === 0 || this.#left-- <= 0 || this.#templating.cpuTime() > this.#endAt) return [];
    if (!(yield* holds(texts))) return [];
    if (texts.length === 1) return texts;
    const half = Math.ceil(texts.length / 2);
    return [...(yield* this.#search(texts.slice(0, half), holds)), ...(yield* this.#search(texts.slice(half), holds))];
  }
}

const planOf = (part: readonly RiskyText[], plan: Plan): Plan =>
  new Map(part.flatMap(({ key }) => (plan.has(key) ? [[key, plan.get(key) ?? 'text'] as const] : [])));

/**
 * The first path at which the objects disagree: in fields, lengths, types, numbers or booleans, or in a string that is the
 * same in both harmless objects and another one in the real one.
 */
function differenceOf(real: unknown, first: unknown, second: unknown): Path | undefined {
  const path: (string | number)[] = [];
  return isDifferent(real, first, second, path) ? path.reverse() : undefined;
}

/** Writes the path to the difference from its end. */
function isDifferent(real: unknown, first: unknown, second: unknown, path: (string | number)[]): boolean {
  if (typeof real === 'string' && typeof first === 'string' && typeof second === 'string')
    return first === second && real !== first;
  if (Array.isArray(real) && Array.isArray(first) && Array.isArray(second)) {
    if (real.length !== first.length || real.length !== second.length) return true;
    for (let index = 0; index < real.length; index++) {
      if (!isDifferent(real[index], first[index], second[index], path)) continue;
      path.push(index);
      return true;
    }
    return false;
  }
  if (isObject(real) && isObject(first) && isObject(second)) {
    const keys = Object.keys(real);
    if (keys.length !== Object.keys(first).length || keys.length !== Object.keys(second).length) return true;
    for (const key of keys) {
      const isThere = Object.hasOwn(first, key) && Object.hasOwn(second, key);
      if (isThere && !isDifferent(real[key], first[key], second[key], path)) continue;
      path.push(key);
      return true;
    }
    return false;
  }
  return real !== first || real !== second;
}

/** The strings of the job in objects that agree. */
function stringsFromJob(real: unknown, first: unknown, second: unknown): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown, one: unknown, other: unknown): void => {
    if (typeof value === 'string') {
      if (one !== other) found.push(value);
    } else if (Array.isArray(value) && Array.isArray(one) && Array.isArray(other)) {
      for (let index = 0; index < value.length; index++) visit(value[index], one[index], other[index]);
    } else if (isObject(value) && isObject(one) && isObject(other)) {
      for (const key of Object.keys(value)) visit(value[key], one[key], other[key]);
    }
  };
  visit(real, first, second);
  return found;
}

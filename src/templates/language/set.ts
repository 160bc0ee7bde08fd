/** Parses template files into one set and renders its templates. */
import type { Sliced } from '../../system/slices.ts';
import { compareBytes } from '../bytes.ts';
import {
  type FunctionTable,
  type Rendered,
  type RenderOptions,
  TemplateError,
  type TemplateSet,
  type TemplateSource,
} from '../contract.ts';
import { deriveKeyAtOnce } from '../derived-keys.ts';
import type { Context, Value } from '../values.ts';
import { builtins } from './builtins.ts';
import { execute } from './evaluate.ts';
import type { Rendering } from './expressions.ts';
import { LimitError, Meter } from './limits.ts';
import { isEmptyTemplate, type Template } from './nodes.ts';
import { parseSource } from './parser.ts';

interface ParsedTemplates {
  readonly set: TemplateSet;
  /** Templates that are defined in two files. */
  readonly warnings: readonly string[];
}

/**
 * Parses files in byte order of their names; throws TemplateError. The later definition of a name is used, unless it is empty.
 * `functions` are there besides Go's own.
 */
export function parseTemplates(sources: readonly TemplateSource[], functions: FunctionTable): ParsedTemplates {
  const all = new Map([...builtins, ...functions]);
  const templates = new Map<string, Template>();
  const warnings: string[] = [];
  for (const source of [...sources].sort((a, b) => compareBytes(a.name, b.name))) {
    for (const [name, template] of parseSource(source, all)) {
      const existing = templates.get(name);
      if (existing !== undefined && isEmptyTemplate(template)) continue;
      if (existing !== undefined && !isEmptyTemplate(existing)) {
        warnings.push(
          `${position(template)} defines template "${name}" again; it replaces the one of ${position(existing)}`,
        );
      }
      templates.set(name, template);
    }
  }
  return { set: createSet(templates, all), warnings };
}

function position({ source: { name, text }, at }: Template): string {
  return `${name}:${text.slice(0, at).split('\n').length}`;
}

function createSet(templates: ReadonlyMap<string, Template>, functions: FunctionTable): TemplateSet {
  return {
    names: [...templates.keys()].sort(compareBytes),
    has: (name) => templates.has(name),
    render: (name, data, options) => renderNamed(createRendering(templates, functions, options), name, data),
  };
}

function* renderNamed(rendering: Rendering, name: string, data: Value): Sliced<Rendered> {
  const template = rendering.templates.get(name);
  if (template !== undefined) return yield* execute(rendering, template, data);
  const place = { template: name, line: 1, column: undefined };
  throw new TemplateError('undefined-template', place, `no template "${name}"`);
}

function createRendering(
  templates: ReadonlyMap<string, Template>,
  functions: FunctionTable,
  options: RenderOptions,
): Rendering {
  const meter = new Meter(options);
  const context: Context = {
    step: meter.step,
    reserve: meter.reserve,
    now: options.now,
    deriveKey: options.deriveKey ?? deriveKeyAtOnce,
    decoded: options.decoded ?? ((_encoded, text) => text),
    render: (name, data) => includedText(rendering, name, data),
    renderText: (text, data) => renderText(rendering, text, data),
  };
  const rendering: Rendering = { functions, templates, meter, context };
  return rendering;
}

/** The output of a template that a function calls. */
function* includedText(rendering: Rendering, name: string, data: Value): Sliced<string> {
  rendering.meter.enter();
  const { text } = yield* renderNamed(rendering, name, data);
  rendering.meter.leave();
  return text;
}

/** A text as a template that sees the others; what it defines is seen by itself only. */
function* renderText(rendering: Rendering, text: string, data: Value): Sliced<string> {
  const { templates: outer, functions, meter } = rendering;
  if (text.length > MAX_TEXT) throw new LimitError(`a template in a string is longer than ${MAX_TEXT} characters`);
  meter.step(Math.floor(text.length / CHARACTERS_A_STEP));
  const templates = new Map(outer);
  for (const [name, template] of parseSource({ name: TEXT_NAME, text }, functions)) {
    if (name === TEXT_NAME || !outer.has(name) || !isEmptyTemplate(template)) templates.set(name, template);
  }
  const inner: Rendering = {
    functions,
    templates,
    meter,
    context: {
      ...rendering.context,
      render: (name, value) => includedText(inner, name, value),
      renderText: (nested, value) => renderText(inner, nested, value),
    },
  };
  return yield* includedText(inner, TEXT_NAME, data);
}

/** The name of a template that `tpl` executes, in errors. */
const TEXT_NAME = '(tpl)';

/** The longest string that `tpl` parses, as long as a template file. */
const MAX_TEXT = 1_048_576;

/** Parsing counts as one step for so much of a string. */
const CHARACTERS_A_STEP = 16;

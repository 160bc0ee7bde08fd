/** Executes a parsed template: statements, scopes of variables, and the output with the places that wrote it. */
import type { Sliced } from '../../system/slices.ts';
import { byteLength, compareBytes, joined } from '../bytes.ts';
import { GoError, type Place, type Rendered, TemplateError, type TemplateErrorKind } from '../contract.ts';
import { printForm } from '../print-form.ts';
import { entriesOf, Func, isTrue, itemsOf, numberOf, Sized, typeName, type Value } from '../values.ts';
import { type Evaluation, evaluatePipe, type Rendering } from './expressions.ts';
import { LimitError } from './limits.ts';
import {
  type ActionNode,
  type BranchNode,
  type CallNode,
  type ListNode,
  quote,
  type StatementNode,
  type Template,
  type TemplateNode,
} from './nodes.ts';

interface Variable {
  readonly name: string;
  value: Value;
}

/** How a list of statements ended. */
type Flow = 'next' | 'break' | 'continue';

/** Chunks of output that are joined before there are more: strings and lists of many parts cost the garbage collector most. */
const CHUNKS_TOGETHER = 512;

/** A statement and its template. */
interface Writer {
  readonly template: Template;
  readonly node: StatementNode;
}

/** The output of one rendering, or of one `include`. */
class Output {
  #text = '';
  readonly #parts: string[] = [];
  #length = 0;
  readonly #writers: Writer[] = [];
  readonly #indices = new Map<StatementNode, number>();
  /** Two numbers of each chunk: the index after it, and its writer. Numbers alone, which the garbage collector does not visit. */
  #chunks = new Uint32Array(2 * CHUNKS_TOGETHER);
  #count = 0;

  write(text: string, template: Template, node: StatementNode): void {
    if (text === '') return;
    this.#length += text.length;
    this.#parts.push(text);
    if (this.#parts.length >= CHUNKS_TOGETHER) this.#join();
    let writer = this.#indices.get(node);
    if (writer === undefined) {
      writer = this.#writers.push({ template, node }) - 1;
      this.#indices.set(node, writer);
    }
    if (2 * this.#count === this.#chunks.length) {
      const chunks = new Uint32Array(4 * this.#count);
      chunks.set(this.#chunks);
      this.#chunks = chunks;
    }
    this.#chunks[2 * this.#count] = this.#length;
    this.#chunks[2 * this.#count + 1] = writer;
    this.#count++;
  }

  get text(): string {
    this.#join();
    return this.#text;
  }

  #join(): void {
    this.#text += this.#parts.join('');
    this.#parts.length = 0;
  }

  /** The place that wrote the character at an index; in the text of a template exactly that character. */
  placeAt(index: number): Place | undefined {
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[2 * middle] ?? 0) > index) high = middle;
      else low = middle + 1;
    }
    const writer = this.#writers[this.#chunks[2 * low + 1] ?? 0];
    if (writer === undefined) return undefined;
    const { template, node } = writer;
    const start = low === 0 ? 0 : (this.#chunks[2 * low - 2] ?? 0);
    const within = node.kind === 'text' ? Math.min(Math.max(index - start, 0), node.text.length) : 0;
    return placeOf(template, node.at + within);
  }
}

/** A place as Go counts: the line from 1, the column in bytes from 0. */
function placeOf({ source: { name, text } }: Template, at: number): Place {
  const start = at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1;
  const line = text.slice(0, start).split('\n').length;
  return { template: name, line, column: byteLength(text.slice(start, at)) };
}

/** Executes a template by its parsed form. */
export function* execute(rendering: Rendering, template: Template, data: Value): Sliced<Rendered> {
  const output = new Output();
  // Nil is no value here, as in Go's Execute.
  const dot = data ?? undefined;
  yield* new Execution(rendering, template, dot, output).run(dot);
  const placeAt = (index: number): Place => output.placeAt(index) ?? placeOf(template, template.at);
  // Bytes that several actions wrote may be one character together.
  return { text: joined([output.text], ''), placeAt };
}

/** One template that is being executed, with its variables and the node that errors are about. */
class Execution implements Evaluation {
  readonly rendering: Rendering;
  readonly #template: Template;
  readonly #output: Output;
  readonly #variables: Variable[];
  /** The node that an error is about. */
  node: TemplateNode;

  constructor(rendering: Rendering, template: Template, data: Value, output: Output) {
    this.rendering = rendering;
    this.#template = template;
    this.#output = output;
    this.#variables = [{ name: '$', value: data }];
    this.node = template.root;
  }

  *run(data: Value): Sliced<void> {
    try {
      yield* this.#list(data, this.#template.root);
    } catch (error) {
      throw this.#placed(error);
    }
  }

  error(kind: TemplateErrorKind, message: string, options?: ErrorOptions): TemplateError {
    const reason = `executing "${this.#template.name}" at <${quote(this.node)}>: ${message}`;
    return new TemplateError(kind, placeOf(this.#template, this.node.at), reason, options);
  }

  /** An error with a place: that of the node which was executed last, unless the error has one. */
  #placed(error: unknown): unknown {
    if (error instanceof LimitError) return this.error('limit', error.message);
    // Printing a value that contains itself.
    if (error instanceof GoError) return this.error('limit', error.message);
    // The stack overflowed, or a string became longer than the runtime allows.
    if (error instanceof RangeError) return this.error('limit', 'values or calls are nested too deeply, or too large');
    return error;
  }

  declare(name: string, value: Value): void {
    this.#variables.push({ name, value });
  }

  assign(name: string, value: Value): void {
    this.#find(name).value = value;
  }

  variable(name: string): Value {
    return this.#find(name).value;
  }

  #find(name: string): Variable {
    const found = this.#variables.findLast((each) => each.name === name);
    if (found === undefined) throw this.error('undefined-variable', `undefined variable: ${name}`);
    return found;
  }

  *#list(dot: Value, list: ListNode): Sliced<Flow> {
    this.node = list;
    for (const node of list.nodes) {
      const flow = yield* this.#statement(dot, node);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  *#statement(dot: Value, node: StatementNode): Sliced<Flow> {
    this.node = node;
    this.rendering.meter.step();
    if (this.rendering.meter.mayPause()) yield;
    switch (node.kind) {
      case 'text':
        this.rendering.meter.write(node.bytes);
        this.#output.write(node.text, this.#template, node);
        return 'next';
      case 'action':
        yield* this.#action(dot, node);
        return 'next';
      case 'template':
        yield* this.#call(dot, node);
        return 'next';
      case 'if':
      case 'with':
        return yield* this.#scoped(this.#choice(dot, node));
      case 'range':
        return yield* this.#scoped(this.#range(dot, node));
      default:
        return node.kind;
    }
  }

  /** Variables that `run` declares end with it. */
  *#scoped<T>(run: Sliced<T>): Sliced<T> {
    const visible = this.#variables.length;
    const result = yield* run;
    this.#variables.length = visible;
    return result;
  }

  /** Variables declared by an action stay until the next `end`. */
  *#action(dot: Value, node: ActionNode): Sliced<void> {
    const value = yield* evaluatePipe(this, dot, node.pipe);
    if (node.pipe.variables.length > 0) return;
    this.node = node;
    if (value instanceof Func) throw this.error('value', 'cannot print a function');
    const text = typeof value === 'string' ? value : printForm(value, this.rendering.meter);
    this.rendering.meter.write(byteLength(text));
    this.#output.write(text, this.#template, node);
  }

  /** An `if` or `with`, and the ones that are all of its else: in a loop, because chains are long. */
  *#choice(dot: Value, first: BranchNode): Sliced<Flow> {
    for (let node = first; ; ) {
      const value = yield* evaluatePipe(this, dot, node.pipe);
      if (isTrue(value)) return yield* this.#list(node.kind === 'with' ? value : dot, node.body);
      if (node.otherwise === undefined) return 'next';
      const [next, ...more] = node.otherwise.nodes;
      if (next === undefined || more.length > 0 || (next.kind !== 'if' && next.kind !== 'with')) {
        return yield* this.#list(dot, node.otherwise);
      }
      this.node = next;
      this.rendering.meter.step();
      node = next;
    }
  }

  *#range(dot: Value, node: BranchNode): Sliced<Flow> {
    const value = yield* evaluatePipe(this, dot, node.pipe);
    let ran = false;
    for (const [key, element] of this.#elements(value, node.pipe.variables.length)) {
      ran = true;
      this.rendering.meter.step();
      this.#setRangeVariables(node, key, element);
      if ((yield* this.#scoped(this.#list(element, node.body))) === 'break') return 'next';
    }
    return ran || node.otherwise === undefined ? 'next' : yield* this.#list(dot, node.otherwise);
  }

  /** Keys and elements in the order of iteration. */
  #elements(value: Value, variables: number): Iterable<readonly [Value, Value]> {
    const items = itemsOf(value);
    if (items !== undefined) return pairs(items);
    const entries = entriesOf(value);
    if (entries !== undefined) {
      this.rendering.meter.step(entries.size);
      return [...entries].sort(([a], [b]) => compareBytes(a, b));
    }
    if (value === undefined || value === null) return [];
    const number = numberOf(value);
    if (typeof number !== 'bigint') throw this.error('range', `range can't iterate over a ${typeName(value)}`);
    if (variables > 1) throw this.error('range', 'range over an integer has one variable, not two');
    return integers(value, number);
  }

  #setRangeVariables({ pipe: { variables, assigns } }: BranchNode, key: Value, element: Value): void {
    const [first, second] = variables;
    if (first === undefined) return;
    if (assigns) {
      this.assign(first, second === undefined ? element : key);
      if (second !== undefined) this.assign(second, element);
      return;
    }
    // The pipeline declared them, in this order.
    const top = this.#variables.length;
    this.#setAt(top - 1, element);
    if (second !== undefined) this.#setAt(top - 2, key);
  }

  #setAt(index: number, value: Value): void {
    const variable = this.#variables[index];
    if (variable !== undefined) variable.value = value;
  }

  *#call(dot: Value, node: CallNode): Sliced<void> {
    const template = this.rendering.templates.get(node.name);
    if (template === undefined) throw this.error('undefined-template', `template "${node.name}" not defined`);
    const data = node.pipe === undefined ? undefined : yield* evaluatePipe(this, dot, node.pipe);
    this.node = node;
    this.rendering.meter.enter();
    yield* new Execution(this.rendering, template, data, this.#output).run(data);
    this.rendering.meter.leave();
  }
}

function* pairs(items: readonly Value[]): Iterable<readonly [Value, Value]> {
  for (const [index, item] of items.entries()) yield [BigInt(index), item];
}

/** Zero to before a number, in the number's own type; without keys. */
function* integers(value: Value, count: bigint): Iterable<readonly [Value, Value]> {
  for (let i = 0n; i < count; i++) {
    const same = value instanceof Sized && value.kind !== 'float32' ? new Sized(value.kind, i) : i;
    yield [undefined, same];
  }
}

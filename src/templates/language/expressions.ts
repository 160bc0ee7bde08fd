/** Evaluates pipelines, commands, fields and calls, with the checks that Go makes on arguments. */
import type { Sliced } from '../../system/slices.ts';
import { type FunctionTable, GoError, TemplateError, type TemplateErrorKind } from '../contract.ts';
import {
  Complex,
  type Context,
  entriesOf,
  GoObject,
  type IntegerKind,
  isTrue,
  Sized,
  type TemplateFunction,
  typeName,
  type Value,
} from '../values.ts';
import { LimitError, type Meter } from './limits.ts';
import {
  type ChainNode,
  type CommandNode,
  type ExpressionNode,
  type FieldNode,
  type IdentifierNode,
  type NumberNode,
  type PipeNode,
  quote,
  type Template,
  type TemplateNode,
  type VariableNode,
} from './nodes.ts';

/** What all templates of one rendering share. */
export interface Rendering {
  readonly functions: FunctionTable;
  readonly templates: ReadonlyMap<string, Template>;
  readonly meter: Meter;
  readonly context: Context;
}

/** The execution of one template, as its expressions see it. */
export interface Evaluation {
  readonly rendering: Rendering;
  /** The node that an error is about. */
  node: TemplateNode;
  readonly error: (kind: TemplateErrorKind, message: string, options?: ErrorOptions) => TemplateError;
  readonly declare: (name: string, value: Value) => void;
  readonly assign: (name: string, value: Value) => void;
  readonly variable: (name: string) => Value;
}

/** What the preceding command of a pipeline gave: the last argument of the next one. */
type Piped = { readonly value: Value } | undefined;

/** The value of a pipeline; its variables are declared or assigned. */
export function* evaluatePipe(execution: Evaluation, dot: Value, pipe: PipeNode): Sliced<Value> {
  execution.node = pipe;
  let piped: Piped;
  for (const command of pipe.commands) {
    execution.rendering.meter.step();
    const value = yield* evaluateCommand(execution, dot, command, piped);
    // A nil interface is no value from here on.
    piped = { value: value === null ? undefined : value };
  }
  for (const name of pipe.variables) {
    if (pipe.assigns) execution.assign(name, piped?.value);
    else execution.declare(name, piped?.value);
  }
  return piped?.value;
}

function* evaluateCommand(execution: Evaluation, dot: Value, command: CommandNode, piped: Piped): Sliced<Value> {
  const { first, args } = command;
  switch (first.kind) {
    case 'field':
      execution.node = first;
      return yield* fieldChain(execution, dot, dot, first, args, piped);
    case 'chain':
      return yield* chain(execution, dot, first, args, piped);
    case 'identifier':
      return yield* callFunction(execution, dot, first, command, args, piped);
    case 'variable':
      return yield* variable(execution, dot, first, args, piped);
    case 'pipe':
      rejectArguments(execution, first, args, piped);
      return yield* evaluatePipe(execution, dot, first);
    default:
      execution.node = first;
      rejectArguments(execution, first, args, piped);
      if (first.kind === 'dot') return dot;
      if (first.kind === 'nil') throw execution.error('value', 'nil is not a command');
      return constant(execution, first);
  }
}

function rejectArguments(execution: Evaluation, node: ExpressionNode, args: readonly unknown[], piped: Piped): void {
  if (args.length === 0 && piped === undefined) return;
  throw execution.error('argument-count', `can't give argument to non-function ${quote(node)}`);
}

/** The value of a constant where any type will do: its spelling decides. */
function constant(execution: Evaluation, node: ExpressionNode): Value {
  execution.node = node;
  switch (node.kind) {
    case 'bool':
      return node.value;
    case 'string':
      return node.text;
    case 'number':
      return number(execution, node);
    default:
      throw execution.error('type', `can't handle ${quote(node)} as an argument`);
  }
}

function number(execution: Evaluation, { number: { text, int, float, complex } }: NumberNode): Value {
  if (complex !== undefined) return complex;
  const isHex = /^0[xX][^pP]+$/.test(text);
  if (float !== undefined && !isHex && !text.startsWith("'") && /[.eEpP]/.test(text)) return float;
  if (int !== undefined) return int;
  throw execution.error('overflow', `${text} overflows int`);
}

function* variable(
  execution: Evaluation,
  dot: Value,
  node: VariableNode,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  execution.node = node;
  const value = execution.variable(node.name);
  if (node.path.length > 0) return yield* fieldChain(execution, dot, value, node, args, piped);
  rejectArguments(execution, node, args, piped);
  return value;
}

function* chain(
  execution: Evaluation,
  dot: Value,
  node: ChainNode,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  execution.node = node;
  const value = yield* argument(execution, dot, undefined, node.of);
  return yield* fieldChain(execution, dot, value, node, args, piped);
}

/** `.a.b.c` of a value; arguments go to the last one, which is then a method. */
function* fieldChain(
  execution: Evaluation,
  dot: Value,
  of: Value,
  node: FieldNode | VariableNode | ChainNode,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  let receiver = of;
  const last = node.path.length - 1;
  for (const [i, name] of node.path.entries()) {
    receiver = yield* field(
      execution,
      dot,
      receiver,
      name,
      node,
      i === last ? args : [],
      i === last ? piped : undefined,
    );
  }
  return receiver;
}

function* field(
  execution: Evaluation,
  dot: Value,
  receiver: Value,
  name: string,
  node: FieldNode | VariableNode | ChainNode,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  if (receiver === undefined) return undefined;
  if (receiver === null) throw execution.error('field', `nil pointer evaluating interface {}.${name}`);
  const entries = entriesOf(receiver);
  if (receiver instanceof GoObject) {
    const method = receiver.methods.get(name);
    if (method !== undefined) return yield* call(execution, dot, method, node, args, piped);
  }
  const known = entries !== undefined || (receiver instanceof GoObject && receiver.fields.has(name));
  if (!known) throw execution.error('field', `can't evaluate field ${name} in type ${typeName(receiver)}`);
  if (args.length > 0 || piped !== undefined) {
    throw execution.error('argument-count', `${name} is not a method but has arguments`);
  }
  return entries === undefined && receiver instanceof GoObject ? receiver.fields.get(name) : entries?.get(name);
}

function* callFunction(
  execution: Evaluation,
  dot: Value,
  node: IdentifierNode,
  whole: TemplateNode,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  execution.node = node;
  const called = execution.rendering.functions.get(node.name);
  if (called === undefined || 'refused' in called) {
    throw execution.error('undefined-function', `"${node.name}" is not a defined function`);
  }
  return yield* call(execution, dot, called, whole, args, piped);
}

function* call(
  execution: Evaluation,
  dot: Value,
  called: TemplateFunction,
  whole: TemplateNode,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  const { name, parameters, variadic } = called;
  const given = args.length + (piped === undefined ? 0 : 1);
  const fixed = parameters.length - (variadic ? 1 : 0);
  if (variadic ? given < fixed : given !== fixed) {
    const least = variadic ? 'at least ' : '';
    throw execution.error('argument-count', `wrong number of args for ${name}: want ${least}${fixed} got ${given}`);
  }
  if (name === 'and' || name === 'or') return yield* shortCircuit(execution, dot, name === 'or', args, piped);
  const typeAt = (index: number): string => parameters[Math.min(index, parameters.length - 1)] ?? ANY;
  const values: Value[] = [];
  for (const [i, arg] of args.entries()) values.push(yield* argument(execution, dot, typeAt(i), arg));
  if (piped !== undefined) values.push(checked(execution, piped.value, typeAt(args.length)));
  const length = values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
  const { context, meter } = execution.rendering;
  meter.step(Math.floor(length / BYTES_A_STEP));
  if (meter.mayPause()) yield;
  try {
    if ('run' in called) return yield* called.run(values, context);
    meter.beginCall();
    const value = called.call(values, context);
    meter.endCall();
    return value;
  } catch (error) {
    execution.node = whole;
    throw failure(execution, name, error);
  }
}

/** What a function threw as an error of the template; limits and defects of the program pass. */
function failure(execution: Evaluation, name: string, error: unknown): unknown {
  if (error instanceof LimitError || (error instanceof TemplateError && error.kind === 'limit')) return error;
  if (!(error instanceof GoError) && !(error instanceof TemplateError)) return error;
  return execution.error('function', `error calling ${name}: ${error.message}`, { cause: error });
}

/** `and` and `or` evaluate no more arguments than they need. */
function* shortCircuit(
  execution: Evaluation,
  dot: Value,
  until: boolean,
  args: readonly ExpressionNode[],
  piped: Piped,
): Sliced<Value> {
  let value: Value;
  for (const arg of args) {
    value = yield* argument(execution, dot, REFLECT_VALUE, arg);
    if (isTrue(value) === until) return value;
  }
  return piped === undefined ? value : piped.value;
}

/** Work on a string counts as one step for so much of it. */
const BYTES_A_STEP = 4096;

const ANY = 'interface {}';
const REFLECT_VALUE = 'reflect.Value';

const canBeNil = (type: string): boolean =>
  type === ANY || type === REFLECT_VALUE || /^(\[\]|map\[|\*|func\()/.test(type);

/** The value of an argument, checked against the type of its parameter; undefined: of no type. */
function* argument(execution: Evaluation, dot: Value, type: string | undefined, node: ExpressionNode): Sliced<Value> {
  execution.node = node;
  switch (node.kind) {
    case 'dot':
      return checked(execution, dot, type);
    case 'nil':
      if (type === undefined || !canBeNil(type)) throw execution.error('type', `cannot assign nil to ${type}`);
      return type === REFLECT_VALUE ? undefined : null;
    case 'field':
      return checked(execution, yield* fieldChain(execution, dot, dot, node, [], undefined), type);
    case 'variable':
      return checked(execution, yield* variable(execution, dot, node, [], undefined), type);
    case 'pipe':
      return checked(execution, yield* evaluatePipe(execution, dot, node), type);
    case 'identifier':
      return checked(execution, yield* callFunction(execution, dot, node, node, [], undefined), type);
    case 'chain':
      return checked(execution, yield* chain(execution, dot, node, [], undefined), type);
    default:
      if (type === undefined || type === ANY || type === REFLECT_VALUE) return constant(execution, node);
      return typed(execution, type, node);
  }
}

const INTEGER_KINDS: ReadonlySet<string> = new Set<IntegerKind>([
  'int8',
  'int16',
  'int32',
  'int64',
  'uint',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'uintptr',
]);

const isIntegerKind = (type: string): type is IntegerKind => INTEGER_KINDS.has(type);

/** A constant as a value of one type. */
function typed(execution: Evaluation, type: string, node: ExpressionNode): Value {
  if (type === 'bool' && node.kind === 'bool') return node.value;
  if (type === 'string' && node.kind === 'string') return node.text;
  if (node.kind === 'number') {
    const { int, uint, float, complex } = node.number;
    if (type === 'int' && int !== undefined) return int;
    if (type === 'float64' && float !== undefined) return float;
    if (type === 'float32' && float !== undefined) return new Sized('float32', float);
    if (type === 'complex128' && complex instanceof Complex) return complex;
    const whole = type.startsWith('u') ? uint : int;
    if (isIntegerKind(type) && whole !== undefined) return new Sized(type, whole);
  }
  throw execution.error('type', `expected ${type}; found ${quote(node)}`);
}

/** The value if it can be given to a parameter of a type. */
function checked(execution: Evaluation, value: Value, type: string | undefined): Value {
  if (type === undefined || type === REFLECT_VALUE) return value;
  if (value === undefined) {
    if (canBeNil(type)) return null;
    throw execution.error('type', `invalid value; expected ${type}`);
  }
  if (type === ANY) return value;
  const got = value === null ? ANY : typeName(value);
  if (got === type) return value;
  throw execution.error('type', `wrong type for value; expected ${type}; got ${got}`);
}

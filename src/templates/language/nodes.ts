/** What a parsed template consists of, and how errors quote it. */
import type { TemplateSource } from '../contract.ts';
import type { NumberLiteral } from './literals.ts';

/** A node begins at an index of the source text. */
interface At {
  readonly at: number;
}

export interface FieldNode extends At {
  readonly kind: 'field';
  readonly path: readonly string[];
}

export interface VariableNode extends At {
  readonly kind: 'variable';
  /** With its `$`. */
  readonly name: string;
  readonly path: readonly string[];
}

/** Fields of a parenthesized pipeline or of a function's result. */
export interface ChainNode extends At {
  readonly kind: 'chain';
  readonly of: ExpressionNode;
  readonly path: readonly string[];
}

export interface IdentifierNode extends At {
  readonly kind: 'identifier';
  readonly name: string;
}

export interface NumberNode extends At {
  readonly kind: 'number';
  readonly number: NumberLiteral;
}

interface StringNode extends At {
  readonly kind: 'string';
  readonly quoted: string;
  readonly text: string;
}

interface BoolNode extends At {
  readonly kind: 'bool';
  readonly value: boolean;
}

interface WordNode extends At {
  readonly kind: 'dot' | 'nil';
}

export type ExpressionNode =
  | PipeNode
  | FieldNode
  | VariableNode
  | ChainNode
  | IdentifierNode
  | NumberNode
  | StringNode
  | BoolNode
  | WordNode;

export interface CommandNode extends At {
  readonly kind: 'command';
  readonly first: ExpressionNode;
  /** The arguments, without `first`. */
  readonly args: readonly ExpressionNode[];
}

export interface PipeNode extends At {
  readonly kind: 'pipe';
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly CommandNode[];
}

interface TextNode extends At {
  readonly kind: 'text';
  readonly text: string;
  readonly bytes: number;
}

export interface ActionNode extends At {
  readonly kind: 'action';
  readonly pipe: PipeNode;
}

export interface BranchNode extends At {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: PipeNode;
  readonly body: ListNode;
  readonly otherwise: ListNode | undefined;
}

export interface CallNode extends At {
  readonly kind: 'template';
  readonly name: string;
  readonly pipe: PipeNode | undefined;
}

interface JumpNode extends At {
  readonly kind: 'break' | 'continue';
}

export type StatementNode = TextNode | ActionNode | BranchNode | CallNode | JumpNode;

export interface ListNode extends At {
  readonly kind: 'list';
  readonly nodes: readonly StatementNode[];
}

export type TemplateNode = ExpressionNode | CommandNode | StatementNode | ListNode;

/** One template: a file, or what a `define` or `block` in it names. */
export interface Template {
  readonly name: string;
  readonly source: TemplateSource;
  /** Where its definition begins. */
  readonly at: number;
  readonly root: ListNode;
}

/** What Go takes for whitespace: Unicode's White_Space, without U+FEFF. */
const WHITESPACE = /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** Nothing but whitespace and comments: such a template does not replace another one. */
export const isEmptyTemplate = ({ root }: Template): boolean =>
  root.nodes.every((node) => node.kind === 'text' && WHITESPACE.test(node.text));

const LONGEST_QUOTE = 80;

/** A node as an error quotes it, on one line. */
export function quote(node: TemplateNode): string {
  const text = source(node);
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
}

const fields = (path: readonly string[]): string => path.map((name) => `.${name}`).join('');

function source(node: TemplateNode): string {
  switch (node.kind) {
    case 'field':
      return fields(node.path);
    case 'variable':
      return `${node.name}${fields(node.path)}`;
    case 'chain':
      return `${operand(node.of)}${fields(node.path)}`;
    case 'identifier':
      return node.name;
    case 'number':
      return node.number.text;
    case 'string':
      return node.quoted;
    case 'bool':
      return String(node.value);
    case 'dot':
      return '.';
    case 'pipe': {
      const variables = node.variables.join(', ');
      const commands = node.commands.map(source).join(' | ');
      return variables === '' ? commands : `${variables} ${node.assigns ? '=' : ':='} ${commands}`;
    }
    case 'command':
      return [node.first, ...node.args].map(operand).join(' ');
    case 'text':
      return JSON.stringify(node.text);
    case 'action':
      return `{{${source(node.pipe)}}}`;
    case 'if':
    case 'with':
    case 'range':
      return `{{${node.kind} ${source(node.pipe)}}}`;
    case 'template':
      return `{{template ${JSON.stringify(node.name)}${node.pipe === undefined ? '' : ` ${source(node.pipe)}`}}}`;
    case 'list':
      return node.nodes.map(source).join('');
    default:
      return node.kind;
  }
}

const operand = (node: ExpressionNode): string => (node.kind === 'pipe' ? `(${source(node)})` : source(node));

/** Parses the text of a template into nodes, with the grammar and the checks of Go's text/template. */
import { byteLength } from '../bytes.ts';
import { type FunctionTable, TemplateError, type TemplateErrorKind, type TemplateSource } from '../contract.ts';
import { Lexer, type Token } from './lexer.ts';
import { LiteralError, parseCharacter, parseComplex, parseNumber, unquote } from './literals.ts';
import {
  type BranchNode,
  type CommandNode,
  type ExpressionNode,
  isEmptyTemplate,
  type ListNode,
  type PipeNode,
  type StatementNode,
  type Template,
} from './nodes.ts';

/** Levels of parentheses, and of `if`, `with`, `range` and `block` inside each other. Go has no limit below 10,000. */
const DEEPEST = 100;

/** What ends a list of statements. */
type Terminator = 'end' | 'else' | 'else-if' | 'else-with';

interface Shared {
  readonly source: TemplateSource;
  readonly functions: FunctionTable;
  readonly lexer: Lexer;
  readonly templates: Map<string, Template>;
  depth: number;
}

/** The templates of one file by name: the file itself, and what it defines. */
export function parseSource(source: TemplateSource, functions: FunctionTable): ReadonlyMap<string, Template> {
  const templates = new Map<string, Template>();
  const shared = { source, functions, lexer: new Lexer(source.text), templates, depth: 0 };
  new TemplateParser(shared).file();
  return templates;
}

/** Parses one template; a `define` or `block` inside gets a parser of its own that reads on from the same lexer. */
class TemplateParser {
  readonly #shared: Shared;
  /** Tokens that were read ahead, the next one last. */
  readonly #ahead: Token[] = [];
  /** The token that was read last from the lexer: errors are on its line. */
  #latest: Token | undefined;
  readonly #variables: string[] = ['$'];
  /** How often each variable is declared at this point. */
  readonly #declared = new Map<string, number>([['$', 1]]);
  #ranges = 0;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  file(): void {
    const { source } = this.#shared;
    const nodes: StatementNode[] = [];
    while (this.#peek().kind !== 'end-of-file') {
      if (this.#startsDefinition()) {
        new TemplateParser(this.#shared).#definition();
        continue;
      }
      const node = this.#statement();
      if (typeof node === 'string') throw this.#error(`unexpected {{${node}}}`);
      nodes.push(node);
    }
    this.#add({ name: source.name, source, at: 0, root: { kind: 'list', at: 0, nodes } });
  }

  /** Takes in `{{define`, if it is next. */
  #startsDefinition(): boolean {
    if (this.#peek().kind !== 'left-delimiter') return false;
    const delimiter = this.#next();
    const token = this.#nextNonSpace();
    if (token.kind === 'keyword' && token.text === 'define') return true;
    this.#ahead.push(token, delimiter);
    return false;
  }

  #definition(): void {
    const token = this.#nextNonSpace();
    const name = this.#templateName(token, 'define clause');
    this.#expectClose('define clause');
    this.#body(name, token.at, (found) => this.#error(`unexpected {{${found}}} in define clause`));
  }

  /** The statements up to `{{end}}`, added as a template; `unexpected` makes the error for another terminator. */
  #body(name: string, at: number, unexpected: (found: Terminator) => TemplateError): void {
    const { list, terminator } = this.#list();
    if (terminator !== 'end') throw unexpected(terminator);
    this.#add({ name, source: this.#shared.source, at, root: list });
  }

  #add(template: Template): void {
    const existing = this.#shared.templates.get(template.name);
    if (existing === undefined || isEmptyTemplate(existing)) this.#shared.templates.set(template.name, template);
    else if (!isEmptyTemplate(template))
      throw this.#error(`multiple definition of template ${JSON.stringify(template.name)}`);
  }

  #list(): { readonly list: ListNode; readonly terminator: Terminator } {
    this.#enter();
    const at = this.#peekNonSpace().at;
    const nodes: StatementNode[] = [];
    while (this.#peekNonSpace().kind !== 'end-of-file') {
      const node = this.#statement();
      if (typeof node === 'string') {
        this.#shared.depth--;
        return { list: { kind: 'list', at, nodes }, terminator: node };
      }
      nodes.push(node);
    }
    throw this.#error('unexpected end of the file: an {{end}} is missing');
  }

  #enter(): void {
    this.#shared.depth++;
    if (this.#shared.depth > DEEPEST) throw this.#error(`nested deeper than ${DEEPEST} levels`);
  }

  #statement(): StatementNode | Terminator {
    const token = this.#nextNonSpace();
    if (token.kind === 'text') {
      return { kind: 'text', at: token.at, text: token.text, bytes: byteLength(token.text) };
    }
    if (token.kind !== 'left-delimiter') throw this.#unexpected(token, 'input');
    const word = this.#nextNonSpace();
    if (word.kind === 'keyword') {
      switch (word.text) {
        case 'end':
          this.#expectClose('end');
          return 'end';
        case 'else':
          return this.#else();
        case 'if':
        case 'with':
        case 'range':
          return this.#branch(word.text);
        case 'block':
          return this.#block();
        case 'template':
          return this.#call();
        case 'break':
        case 'continue':
          return this.#jump(word, word.text);
      }
    }
    this.#ahead.push(word);
    return { kind: 'action', at: word.at, pipe: this.#pipe('command', 'right-delimiter') };
  }

  #else(): Terminator {
    const token = this.#peekNonSpace();
    if (token.kind === 'keyword' && token.text === 'if') return 'else-if';
    if (token.kind === 'keyword' && token.text === 'with') return 'else-with';
    this.#expectClose('else');
    return 'else';
  }

  #jump(word: Token, kind: 'break' | 'continue'): StatementNode {
    this.#expectClose(`{{${kind}}}`);
    if (this.#ranges === 0) throw this.#error(`{{${kind}}} outside {{range}}`);
    return { kind, at: word.at };
  }

  /** A branch up to its `{{end}}`; `else if` and `else with` make a chain of branches, in a loop because chains are long. */
  #branch(kind: BranchNode['kind']): BranchNode {
    const visible = this.#variables.length;
    const first = this.#arm(kind, this.#peekNonSpace().at);
    const later: Arm[] = [];
    let { terminator } = first;
    while (terminator === `else-${kind}`) {
      const arm = this.#arm(kind, this.#nextNonSpace().at);
      later.push(arm);
      terminator = arm.terminator;
    }
    const otherwise = terminator === 'end' ? undefined : this.#otherwise();
    this.#forget(visible);
    return chained(kind, first, later, otherwise);
  }

  /** The condition and the statements of one arm, after its keyword. */
  #arm(kind: BranchNode['kind'], at: number): Arm & { readonly terminator: Terminator } {
    const pipe = this.#pipe(kind, 'right-delimiter');
    if (kind === 'range') this.#ranges++;
    const { list: body, terminator } = this.#list();
    if (kind === 'range') this.#ranges--;
    return { at, pipe, body, terminator };
  }

  #declare(name: string): void {
    this.#variables.push(name);
    this.#declared.set(name, (this.#declared.get(name) ?? 0) + 1);
  }

  /** Ends the scope of all variables but the first ones. */
  #forget(visible: number): void {
    for (const name of this.#variables.splice(visible)) this.#declared.set(name, (this.#declared.get(name) ?? 0) - 1);
  }

  #otherwise(): ListNode {
    const { list, terminator } = this.#list();
    if (terminator !== 'end') throw this.#error(`expected {{end}}; found {{${terminator}}}`);
    return list;
  }

  #block(): StatementNode {
    const context = 'block clause';
    const token = this.#nextNonSpace();
    const name = this.#templateName(token, context);
    const pipe = this.#pipe(context, 'right-delimiter');
    const unexpected = (found: Terminator): TemplateError => this.#error(`unexpected {{${found}}} in ${context}`);
    new TemplateParser(this.#shared).#body(name, token.at, unexpected);
    return { kind: 'template', at: token.at, name, pipe };
  }

  #call(): StatementNode {
    const context = 'template clause';
    const token = this.#nextNonSpace();
    const name = this.#templateName(token, context);
    const next = this.#nextNonSpace();
    if (next.kind === 'right-delimiter') return { kind: 'template', at: token.at, name, pipe: undefined };
    this.#ahead.push(next);
    return { kind: 'template', at: token.at, name, pipe: this.#pipe(context, 'right-delimiter') };
  }

  #templateName(token: Token, context: string): string {
    if (token.kind !== 'string' && token.kind !== 'raw-string') throw this.#unexpected(token, context);
    return this.#literal(unquote, token.text);
  }

  /** `$a, $b := command | command`, up to the token that ends it. */
  #pipe(context: string, end: 'right-delimiter' | 'right-paren'): PipeNode {
    const at = this.#peekNonSpace().at;
    const { variables, assigns } = this.#declarations(context);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.#nextNonSpace();
      if (token.kind === end) break;
      if (!STARTS_OPERAND.has(token.kind) && token.text !== 'nil') throw this.#unexpected(token, context);
      this.#ahead.push(token);
      commands.push(this.#command());
    }
    if (commands.length === 0) throw this.#error(`missing value for ${context}`);
    const constant = commands.findIndex(({ first }, i) => i > 0 && NOT_EXECUTABLE.has(first.kind));
    if (constant > 0) throw this.#error(`non executable command in pipeline stage ${constant + 1}`);
    return { kind: 'pipe', at, variables, assigns, commands };
  }

  #declarations(context: string): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const variables: string[] = [];
    for (;;) {
      const variable = this.#peekNonSpace();
      if (variable.kind !== 'variable') return { variables, assigns: false };
      this.#next();
      // Tokens are put back with the space: it separates arguments.
      const adjacent = this.#peek();
      const next = this.#peekNonSpace();
      const comma = next.kind === 'char' && next.text === ',';
      if (next.kind !== 'assign' && next.kind !== 'declare' && !comma) {
        if (adjacent.kind === 'space') this.#ahead.push(adjacent);
        this.#ahead.push(variable);
        return { variables, assigns: false };
      }
      this.#nextNonSpace();
      variables.push(variable.text);
      this.#declare(variable.text);
      if (!comma) return { variables, assigns: next.kind === 'assign' };
      if (context !== 'range' || variables.length > 1) throw this.#error(`too many declarations in ${context}`);
      if (!AFTER_COMMA.has(this.#peekNonSpace().kind)) throw this.#error('range can only initialize variables');
    }
  }

  #command(): CommandNode {
    const at = this.#peekNonSpace().at;
    const operands: ExpressionNode[] = [];
    for (;;) {
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#next();
      if (token.kind === 'space') continue;
      if (token.kind === 'right-delimiter' || token.kind === 'right-paren') this.#ahead.push(token);
      else if (token.kind !== 'pipe') throw this.#unexpected(token, 'operand');
      break;
    }
    const [first, ...args] = operands;
    if (first === undefined) throw this.#error('empty command');
    return { kind: 'command', at, first, args };
  }

  /** A term and the fields after it. */
  #operand(): ExpressionNode | undefined {
    const term = this.#term();
    if (term === undefined || this.#peek().kind !== 'field') return term;
    const at = this.#peek().at;
    const path: string[] = [];
    while (this.#peek().kind === 'field') path.push(this.#next().text.slice(1));
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { ...term, at, path: [...term.path, ...path] };
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        throw this.#error(`unexpected .${path[0]} after a ${term.kind}`);
      default:
        return { kind: 'chain', at, of: term, path };
    }
  }

  #term(): ExpressionNode | undefined {
    const token = this.#nextNonSpace();
    const { at, text } = token;
    switch (token.kind) {
      case 'identifier':
        this.#checkFunction(text);
        return { kind: 'identifier', at, name: text };
      case 'dot':
        return { kind: 'dot', at };
      case 'keyword':
        if (text === 'nil') return { kind: 'nil', at };
        break;
      case 'variable':
        if ((this.#declared.get(text) ?? 0) === 0)
          throw this.#error(`undefined variable ${text}`, 'undefined-variable');
        return { kind: 'variable', at, name: text, path: [] };
      case 'field':
        return { kind: 'field', at, path: [text.slice(1)] };
      case 'bool':
        return { kind: 'bool', at, value: text === 'true' };
      case 'character':
        return { kind: 'number', at, number: this.#literal(parseCharacter, text) };
      case 'complex':
        return { kind: 'number', at, number: this.#literal(parseComplex, text) };
      case 'number':
        return { kind: 'number', at, number: this.#literal(parseNumber, text) };
      case 'string':
      case 'raw-string':
        return { kind: 'string', at, quoted: text, text: this.#literal(unquote, text) };
      case 'left-paren': {
        this.#enter();
        const pipe = this.#pipe('parenthesized pipeline', 'right-paren');
        this.#shared.depth--;
        return pipe;
      }
    }
    this.#ahead.push(token);
    return undefined;
  }

  #checkFunction(name: string): void {
    const found = this.#shared.functions.get(name);
    if (found === undefined) throw this.#error(`function "${name}" not defined`, 'undefined-function');
    if ('refused' in found) throw this.#error(`function "${name}" is refused: ${found.refused}`, 'refused-function');
  }

  #literal<T>(parse: (text: string) => T, text: string): T {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof LiteralError) throw this.#error(error.message);
      throw error;
    }
  }

  #next(): Token {
    const token = this.#ahead.pop();
    if (token !== undefined) return token;
    this.#latest = this.#shared.lexer.next();
    return this.#latest;
  }

  #peek(): Token {
    const token = this.#next();
    this.#ahead.push(token);
    return token;
  }

  #nextNonSpace(): Token {
    let token = this.#next();
    while (token.kind === 'space') token = this.#next();
    return token;
  }

  #peekNonSpace(): Token {
    const token = this.#nextNonSpace();
    this.#ahead.push(token);
    return token;
  }

  #expectClose(context: string): void {
    const token = this.#nextNonSpace();
    if (token.kind !== 'right-delimiter') throw this.#unexpected(token, context);
  }

  #unexpected({ kind, text }: Token, context: string): TemplateError {
    if (kind === 'error') return this.#error(text);
    return this.#error(`unexpected ${kind === 'end-of-file' ? 'end of the file' : JSON.stringify(text)} in ${context}`);
  }

  #error(reason: string, kind: TemplateErrorKind = 'syntax'): TemplateError {
    const { name, text } = this.#shared.source;
    const line = text.slice(0, this.#latest?.at ?? 0).split('\n').length;
    return new TemplateError(kind, { template: name, line, column: undefined }, reason);
  }
}

interface Arm {
  /** Of a later arm, where its `if` or `with` is. */
  readonly at: number;
  readonly pipe: PipeNode;
  readonly body: ListNode;
}

/** Each later arm is all of the else of the arm before it. */
function chained(kind: BranchNode['kind'], first: Arm, later: readonly Arm[], last: ListNode | undefined): BranchNode {
  const branch = ({ pipe, body }: Arm, otherwise: ListNode | undefined): BranchNode => {
    return { kind, at: pipe.at, pipe, body, otherwise };
  };
  const asElse = (otherwise: ListNode | undefined, arm: Arm): ListNode => {
    return { kind: 'list', at: arm.at, nodes: [branch(arm, otherwise)] };
  };
  return branch(first, later.reduceRight<ListNode | undefined>(asElse, last));
}

const STARTS_OPERAND: ReadonlySet<Token['kind']> = new Set([
  'bool',
  'character',
  'complex',
  'dot',
  'field',
  'identifier',
  'number',
  'string',
  'raw-string',
  'variable',
  'left-paren',
]);

const NOT_EXECUTABLE: ReadonlySet<ExpressionNode['kind']> = new Set(['bool', 'dot', 'nil', 'number', 'string']);

const AFTER_COMMA: ReadonlySet<Token['kind']> = new Set(['variable', 'right-delimiter', 'right-paren']);

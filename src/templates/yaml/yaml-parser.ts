/** Parses the tokens of a YAML text to the tree of one document, as libyaml's grammar has it. */
import type { Sliced } from '../../system/slices.ts';
import { YamlError } from './yaml-cursor.ts';
import { type TokenType, YamlScanner, type YamlToken } from './yaml-scanner.ts';

/** A node as it was written: no scalar is resolved, aliases are not replaced. */
export type SyntaxNode = Properties & (ScalarSyntax | ListSyntax | MapSyntax | AliasSyntax);

interface Properties {
  readonly offset: number;
  /** From 0. */
  readonly line: number;
  readonly anchor: string | undefined;
  readonly tag: string | undefined;
}

interface ScalarSyntax {
  readonly kind: 'scalar';
  readonly text: string;
  readonly isPlain: boolean;
}

interface ListSyntax {
  readonly kind: 'list';
  readonly items: readonly SyntaxNode[];
}

interface MapSyntax {
  readonly kind: 'map';
  readonly pairs: readonly (readonly [key: SyntaxNode, value: SyntaxNode])[];
}

interface AliasSyntax {
  readonly kind: 'alias';
  readonly name: string;
}

/** Levels of lists and maps. */
const DEEPEST = 200;

/** Characters between two places where other work may run. */
const PAUSE_CHARACTERS = 4096;

/** What Kubernetes cannot read in a YAML text, and a byte that is not UTF-8. */
const CONTROL = /[^\t\n\r -~\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

interface ParsedYaml {
  /** The first document; undefined if there is none. */
  readonly node: SyntaxNode | undefined;
  /** What follows it. */
  readonly rest: { readonly offset: number; readonly isDocument: boolean } | undefined;
}

export function* parseYaml(text: string): Sliced<ParsedYaml> {
  const control = CONTROL.exec(text);
  if (control !== null) throw new YamlError('control characters are not allowed', control.index);
  return yield* new YamlParser(text).parse();
}

class YamlParser {
  readonly #scanner: YamlScanner;
  #index = 0;
  #depth = 0;
  #pauseAt = PAUSE_CHARACTERS;

  constructor(text: string) {
    this.#scanner = new YamlScanner(text);
  }

  *parse(): Sliced<ParsedYaml> {
    if (this.#is('end')) return { node: undefined, rest: undefined };
    const hasDirectives = this.#is('directive');
    while (this.#is('directive')) this.#skip();
    const isExplicit = this.#is('document-start');
    if (isExplicit) this.#skip();
    else if (hasDirectives) throw this.#error('did not find expected <document start>', this.#peek());
    const isEmpty = isExplicit && this.#isOneOf(['directive', 'document-start', 'document-end', 'end']);
    const node = isEmpty ? this.#empty(this.#peek()) : yield* this.#node(true, false);
    while (this.#is('document-end')) this.#skip();
    const { type, offset } = this.#peek();
    return {
      node,
      rest: type === 'end' ? undefined : { offset, isDocument: type === 'document-start' || type === 'directive' },
    };
  }

  #peek(): YamlToken {
    return this.#scanner.token(this.#index);
  }

  #is(type: TokenType): boolean {
    return this.#peek().type === type;
  }

  #isOneOf(types: readonly TokenType[]): boolean {
    return types.includes(this.#peek().type);
  }

  #skip(): YamlToken {
    const token = this.#peek();
    this.#index++;
    return token;
  }

  #error(problem: string, { offset, line }: YamlToken, contextLine = 0): YamlError {
    const shown = line || contextLine;
    return new YamlError(problem, offset, shown === 0 ? problem : `line ${shown}: ${problem}`);
  }

  #empty({ offset, line }: YamlToken): SyntaxNode {
    return { kind: 'scalar', text: '', isPlain: true, offset, line, anchor: undefined, tag: undefined };
  }

  *#node(inBlock: boolean, mayBeUnindentedList: boolean): Sliced<SyntaxNode> {
    const start = this.#peek();
    const { offset, line } = start;
    if (offset >= this.#pauseAt) {
      this.#pauseAt = offset + PAUSE_CHARACTERS;
      yield;
    }
    if (start.type === 'alias') {
      this.#skip();
      return { kind: 'alias', name: start.text, offset, line, anchor: undefined, tag: undefined };
    }
    let anchor: string | undefined;
    let tag: string | undefined;
    for (;;) {
      if (this.#is('anchor') && anchor === undefined) anchor = this.#skip().text;
      else if (this.#is('tag') && tag === undefined) tag = this.#skip().text;
      else break;
    }
    if (++this.#depth > DEEPEST) throw this.#error(`exceeded max depth of ${DEEPEST}`, start);
    const node = yield* this.#content({ offset, line, anchor, tag }, inBlock, mayBeUnindentedList);
    this.#depth--;
    if (node !== undefined) return node;
    if (anchor === undefined && tag === undefined) {
      throw this.#error('did not find expected node content', this.#peek(), line);
    }
    return { kind: 'scalar', text: '', isPlain: tag === undefined, offset, line, anchor, tag };
  }

  *#content(
    { offset, line, anchor, tag }: Properties,
    inBlock: boolean,
    mayBeUnindentedList: boolean,
  ): Sliced<SyntaxNode | undefined> {
    const { type, text, isPlain } = this.#peek();
    if (type === 'scalar') {
      this.#skip();
      return { kind: 'scalar', text, isPlain, offset, line, anchor, tag };
    }
    let items: readonly SyntaxNode[] | undefined;
    if (type === '-' && mayBeUnindentedList) items = yield* this.#unindentedList();
    else if (type === '[') items = yield* this.#flowList();
    else if (type === 'list-start' && inBlock) items = yield* this.#blockList();
    if (items !== undefined) return { kind: 'list', items, offset, line, anchor, tag };
    let pairs: MapSyntax['pairs'] | undefined;
    if (type === '{') pairs = yield* this.#flowMap();
    else if (type === 'map-start' && inBlock) pairs = yield* this.#blockMap();
    return pairs && { kind: 'map', pairs, offset, line, anchor, tag };
  }

  /** A node, or an empty scalar if one of these tokens comes first. */
  *#nodeUnless(ends: readonly TokenType[], inBlock: boolean, mayBeUnindentedList = false): Sliced<SyntaxNode> {
    return this.#isOneOf(ends) ? this.#empty(this.#peek()) : yield* this.#node(inBlock, mayBeUnindentedList);
  }

  *#blockList(): Sliced<readonly SyntaxNode[]> {
    const { line } = this.#skip();
    const items: SyntaxNode[] = [];
    while (this.#is('-')) {
      this.#skip();
      items.push(yield* this.#nodeUnless(['-', 'block-end'], true));
    }
    if (!this.#is('block-end')) throw this.#error("did not find expected '-' indicator", this.#peek(), line);
    this.#skip();
    return items;
  }

  *#unindentedList(): Sliced<readonly SyntaxNode[]> {
    const items: SyntaxNode[] = [];
    while (this.#is('-')) {
      this.#skip();
      items.push(yield* this.#nodeUnless(['-', 'key', 'value', 'block-end'], true));
    }
    return items;
  }

  *#blockMap(): Sliced<readonly (readonly [SyntaxNode, SyntaxNode])[]> {
    const { line } = this.#skip();
    const ends: readonly TokenType[] = ['key', 'value', 'block-end'];
    const pairs: (readonly [SyntaxNode, SyntaxNode])[] = [];
    while (this.#is('key')) {
      this.#skip();
      const key = yield* this.#nodeUnless(ends, true, true);
      pairs.push([key, yield* this.#mapValue(ends, true)]);
    }
    if (!this.#is('block-end')) throw this.#error('did not find expected key', this.#peek(), line);
    this.#skip();
    return pairs;
  }

  *#mapValue(ends: readonly TokenType[], inBlock: boolean): Sliced<SyntaxNode> {
    if (!this.#is('value')) return this.#empty(this.#peek());
    this.#skip();
    return yield* this.#nodeUnless(ends, inBlock, inBlock);
  }

  *#flowList(): Sliced<readonly SyntaxNode[]> {
    const { line } = this.#skip();
    const items: SyntaxNode[] = [];
    for (let isFirst = true; !this.#is(']'); isFirst = false) {
      if (!isFirst) {
        if (!this.#is(',')) throw this.#error("did not find expected ',' or ']'", this.#peek(), line);
        this.#skip();
      }
      if (this.#is('key')) items.push(yield* this.#flowPair());
      else if (!this.#is(']')) items.push(yield* this.#node(false, false));
    }
    this.#skip();
    return items;
  }

  /** `[a: b]`: a map of one pair. */
  *#flowPair(): Sliced<SyntaxNode> {
    const { offset, line } = this.#skip();
    const key = yield* this.#nodeUnless(['value', ',', ']'], false);
    const pairs = [[key, yield* this.#mapValue([',', ']'], false)] as const];
    return { kind: 'map', pairs, offset, line, anchor: undefined, tag: undefined };
  }

  *#flowMap(): Sliced<readonly (readonly [SyntaxNode, SyntaxNode])[]> {
    const { line } = this.#skip();
    const pairs: (readonly [SyntaxNode, SyntaxNode])[] = [];
    for (let isFirst = true; !this.#is('}'); isFirst = false) {
      if (!isFirst) {
        if (!this.#is(',')) throw this.#error("did not find expected ',' or '}'", this.#peek(), line);
        this.#skip();
      }
      if (this.#is('key')) {
        this.#skip();
        const key = yield* this.#nodeUnless(['value', ',', '}'], false);
        pairs.push([key, yield* this.#mapValue([',', '}'], false)]);
      } else if (!this.#is('}')) {
        pairs.push([yield* this.#node(false, false), this.#empty(this.#peek())]);
      }
    }
    this.#skip();
    return pairs;
  }
}

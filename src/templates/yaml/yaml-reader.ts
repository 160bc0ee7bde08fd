/** Reads YAML as go-yaml v2, which Kubernetes uses, does: nodes with their place in the text, or an error with its place. */
import type { Sliced } from '../../system/slices.ts';
import { formatFloat, shortestFloat32 } from '../print-form.ts';
import { YamlError } from './yaml-cursor.ts';
import { parseYaml, type SyntaxNode } from './yaml-parser.ts';
import { resolveScalar, type ScalarValue } from './yaml-scalars.ts';

/** A value of a YAML document; `offset` is the index of its first character in the text. */
export type YamlNode =
  | { readonly kind: 'scalar'; readonly offset: number; readonly value: null | boolean | string | bigint | number }
  | { readonly kind: 'list'; readonly offset: number; readonly items: readonly YamlNode[] }
  | { readonly kind: 'map'; readonly offset: number; readonly entries: ReadonlyMap<string, YamlEntry> };

interface YamlEntry {
  /** Of the key. */
  readonly offset: number;
  readonly value: YamlNode;
}

interface YamlRules {
  /** Anchors, aliases, merge keys and tags. */
  readonly references: 'refused' | 'resolved';
  readonly duplicateKeys: 'refused' | 'last-one-wins';
  readonly documents: 'one' | 'first';
}

/** For objects that are sent to Kubernetes. */
export const STRICT: YamlRules = { references: 'refused', duplicateKeys: 'refused', documents: 'one' };
/** As go-yaml reads into a map. */
export const LENIENT: YamlRules = { references: 'resolved', duplicateKeys: 'last-one-wins', documents: 'first' };

/** The document of a text; undefined if there is none. Throws YamlError. */
export function* readYaml(text: string, rules: YamlRules): Sliced<YamlNode | undefined> {
  const { node, rest } = yield* parseYaml(text);
  if (rest !== undefined && rules.documents === 'one') {
    throw new YamlError(
      rest.isDocument ? 'found a second document, expected one' : 'found text after the document',
      rest.offset,
    );
  }
  yield;
  return node === undefined ? undefined : yield* new Converter(rules).convert(node);
}

/** Nodes between two places where other work may run. */
const PAUSE_NODES = 256;

/** Nodes of a document with its aliases replaced. */
const MOST_NODES = 200_000;

const SHORT_TAGS = 'tag:yaml.org,2002:';

/** `!!str` for all ways to write it; undefined for a node without a tag. */
function shortTag(tag: string | undefined): string | undefined {
  if (tag === undefined) return undefined;
  const uri = tag.replace(/^!<(.*)>$/, '$1');
  return uri.startsWith(SHORT_TAGS) ? `!!${uri.slice(SHORT_TAGS.length)}` : uri;
}

type ScalarNode = SyntaxNode & { readonly kind: 'scalar' };

class Converter {
  readonly #rules: YamlRules;
  readonly #anchors = new Map<string, SyntaxNode>();
  /** Anchors that are being replaced: none may contain itself. */
  readonly #open = new Set<SyntaxNode>();
  #count = 0;

  constructor(rules: YamlRules) {
    this.#rules = rules;
  }

  *convert(node: SyntaxNode): Sliced<YamlNode> {
    if (node.kind === 'scalar') return this.#convertScalar(node);
    this.#begin(node);
    switch (node.kind) {
      case 'list': {
        const items: YamlNode[] = [];
        for (const item of node.items) {
          items.push(item.kind === 'scalar' ? this.#convertScalar(item) : yield* this.convert(item));
          if (this.#count % PAUSE_NODES === 0) yield;
        }
        return { kind: 'list', offset: node.offset, items };
      }
      case 'map': {
        const entries = new Map<string, YamlEntry>();
        for (const [key, value] of node.pairs) {
          yield* this.#entry(entries, key, value);
          if (this.#count % PAUSE_NODES === 0) yield;
        }
        return { kind: 'map', offset: node.offset, entries };
      }
      case 'alias':
        return yield* this.#alias(node, (target) => this.convert(target));
    }
  }

  #convertScalar(node: ScalarNode): YamlNode & { readonly kind: 'scalar' } {
    this.#begin(node);
    return { kind: 'scalar', offset: node.offset, value: this.#scalar(node) };
  }

  /** Counts a node, and refuses what the rules do not allow. */
  #begin(node: SyntaxNode): void {
    if (++this.#count > MOST_NODES) throw this.#error(node, 'document contains excessive aliasing');
    this.#refuse(node);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
  }

  #error({ offset }: SyntaxNode, problem: string): YamlError {
    return new YamlError(problem, offset);
  }

  #refuse(node: SyntaxNode): void {
    if (this.#rules.references === 'resolved') return;
    if (node.kind === 'alias') throw this.#error(node, `found the alias *${node.name}; aliases are not allowed`);
    if (node.anchor !== undefined) throw this.#error(node, `found the anchor &${node.anchor}; anchors are not allowed`);
    if (node.tag !== undefined) throw this.#error(node, `found the tag ${node.tag}; tags are not allowed`);
  }

  *#alias<T>(node: SyntaxNode & { readonly kind: 'alias' }, use: (target: SyntaxNode) => Sliced<T>): Sliced<T> {
    const target = this.#anchors.get(node.name);
    if (target === undefined) throw this.#error(node, `unknown anchor '${node.name}' referenced`);
    if (this.#open.has(target)) throw this.#error(node, `anchor '${node.name}' value contains itself`);
    this.#open.add(target);
    const result = yield* use(target);
    this.#open.delete(target);
    return result;
  }

  *#entry(entries: Map<string, YamlEntry>, key: SyntaxNode, value: SyntaxNode): Sliced<void> {
    if (key.kind === 'scalar' && key.text === '<<' && (key.isPlain || shortTag(key.tag) === '!!merge')) {
      if (this.#rules.references === 'refused')
        throw this.#error(key, 'found a merge key (<<); merge keys are not allowed');
      yield* this.#merge(entries, value);
      return;
    }
    const name = yield* this.#key(key);
    if (this.#rules.duplicateKeys === 'refused' && entries.has(name)) {
      throw this.#error(key, `key ${JSON.stringify(name)} already set in map`);
    }
    const converted = value.kind === 'scalar' ? this.#convertScalar(value) : yield* this.convert(value);
    entries.set(name, { offset: key.offset, value: converted });
  }

  /** Kubernetes has string keys; numbers and booleans become their text. */
  *#key(key: SyntaxNode): Sliced<string> {
    const node = key.kind === 'scalar' ? this.#convertScalar(key) : yield* this.convert(key);
    if (node.kind !== 'scalar' || node.value === null)
      throw this.#error(key, 'found a key that is neither a string, a number nor a boolean');
    const { value } = node;
    if (typeof value !== 'number') return String(value);
    if (Number.isNaN(value)) return '.nan';
    if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
    return formatFloat(shortestFloat32(Math.fround(value)));
  }

  *#merge(entries: Map<string, YamlEntry>, value: SyntaxNode): Sliced<void> {
    const items = value.kind === 'list' ? value.items.toReversed() : [value];
    for (const item of items) {
      if (item.kind === 'alias') yield* this.#alias(item, (target) => this.#mergeMap(entries, target));
      else yield* this.#mergeMap(entries, item);
    }
  }

  *#mergeMap(entries: Map<string, YamlEntry>, node: SyntaxNode): Sliced<void> {
    if (node.kind !== 'map') throw this.#error(node, 'map merge requires map or sequence of maps as the value');
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    for (const [key, value] of node.pairs) yield* this.#entry(entries, key, value);
  }

  #scalar(node: ScalarNode): null | boolean | string | bigint | number {
    const tag = shortTag(node.tag);
    if (tag === undefined && !node.isPlain) return node.text;
    const resolved = tag === undefined || isKnown(tag) ? resolveScalar(node.text) : undefined;
    if (tag === '!!binary') return this.#binary(node);
    if (resolved === undefined || tag === '!!str') return node.text;
    if (tag !== undefined) this.#check(node, tag, resolved);
    switch (resolved.type) {
      case 'bool':
        return resolved.value;
      case 'int':
        return tag === '!!float' ? Number(resolved.value) : resolved.value;
      case 'float':
        if (!Number.isFinite(resolved.value) && this.#rules.references === 'refused') {
          throw this.#error(node, `found ${node.text}; only finite numbers are allowed`);
        }
        return resolved.value;
      case 'null':
        return null;
      default:
        return node.text;
    }
  }

  #check(node: ScalarNode, tag: string, { type }: ScalarValue): void {
    const actual = type === 'string' ? '!!str' : `!!${type}`;
    if (actual === tag || (tag === '!!float' && type === 'int')) return;
    throw this.#error(node, `cannot decode ${actual} \`${node.text}\` as a ${tag}`);
  }

  #binary(node: ScalarNode): string {
    const text = node.text.replace(/[\r\n]/g, '');
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
      throw this.#error(node, '!!binary value contains invalid base64 data');
    }
    return Buffer.from(text, 'base64').toString('utf8');
  }
}

const isKnown = (tag: string): boolean =>
  ['!!str', '!!bool', '!!int', '!!float', '!!null', '!!timestamp'].includes(tag);

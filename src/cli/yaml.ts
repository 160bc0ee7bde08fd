/** JSON-compatible data as YAML: block style, the same meaning in every YAML version, and safe to print. */
import { escapeControls } from '../system/escape.ts';

/** Strings that need no quotes in any YAML version. */
const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./-]*$/;
const WORDS = /^(?:true|false|yes|no|on|off|null|y|n)$/i;

/** The document, with a newline at its end. Undefined fields are omitted. Throws a TypeError for values that JSON does not have. */
export function toYaml(value: unknown): string {
  return isBlock(value) ? block(value, '').join('') : `${scalar(value)}\n`;
}

/** A list or an object that is not empty. */
function isBlock(value: unknown): value is readonly unknown[] | Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && entriesOf(value).length > 0;
}

function entriesOf(value: object): readonly (readonly [string, unknown])[] {
  return Object.entries(value).filter(([, member]) => member !== undefined);
}

/** Lists of scalars are on one line up to this many characters. */
const INLINE = 80;

/** `[get, list]`, if it is a short list of scalars. */
function inline(value: readonly unknown[] | Readonly<Record<string, unknown>>): string | undefined {
  if (!Array.isArray(value) || value.some(isBlock)) return undefined;
  const line = `[${value.map(scalar).join(', ')}]`;
  return line.length > INLINE ? undefined : line;
}

/** The lines of a list or an object that is not empty, each indented. */
function block(value: readonly unknown[] | Readonly<Record<string, unknown>>, indent: string): readonly string[] {
  return entriesOf(value).flatMap(([key, member]) => {
    const short = isBlock(member) ? inline(member) : scalar(member);
    if (!Array.isArray(value)) {
      if (short !== undefined) return `${indent}${text(key)}: ${short}\n`;
      return [`${indent}${text(key)}:\n`, ...nested(member, Array.isArray(member) ? indent : `${indent}  `)];
    }
    if (short !== undefined) return `${indent}- ${short}\n`;
    const [first = '', ...more] = nested(member, `${indent}  `);
    return [`${indent}- ${first.slice(indent.length + 2)}`, ...more];
  });
}

function nested(value: unknown, indent: string): readonly string[] {
  return isBlock(value) ? block(value, indent) : [];
}

function scalar(value: unknown): string {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'boolean' || value === null || (typeof value === 'number' && Number.isFinite(value)))
    return String(value);
  if (typeof value === 'object') return Array.isArray(value) ? '[]' : '{}';
  throw new TypeError(`YAML has no representation for ${typeof value}`);
}

function text(value: string): string {
  return PLAIN.test(value) && !WORDS.test(value) ? value : escapeControls(JSON.stringify(value));
}

/** Random templates with random data give a text or a TemplateError, within the limits; nothing else is thrown. */
import fc from 'fast-check';
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { byteLength } from '../../../src/templates/bytes.ts';
import { type Limits, TemplateError } from '../../../src/templates/contract.ts';
import { readTemplateData } from '../../../src/templates/language/data.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import { testFunctions } from './test-functions.ts';

const LIMITS: Limits = { nestedCalls: 8, outputBytes: 2000, steps: 3000, milliseconds: 200 };

const KEYS = ['a', 'b', 'c', 'é', 'x1'];
const UNARY = [
  'len',
  'not',
  'print',
  'println',
  'html',
  'js',
  'urlquery',
  'list',
  'strings',
  'bytes',
  'int64',
  'uint8',
  'wantMap',
];
const BINARY = [
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'index',
  'slice',
  'and',
  'or',
  'print',
  'list',
  'wantInt64',
  'call',
];

const oneOf = (...texts: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);

/** Texts one after another. */
const sequence = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((texts) => texts.join(''));

const field = fc
  .array(oneOf(...KEYS), { minLength: 1, maxLength: 3 })
  .map((path) => path.map((key) => `.${key}`).join(''));
const format = fc
  .array(
    sequence(
      oneOf('', '+', '-', '#', '0', ' '),
      oneOf('', '3', '8', '*'),
      oneOf('', '.2', '.*', '.'),
      oneOf(...'vdsqxXtTfeEgGbcoOU%z'),
    ),
    { maxLength: 3 },
  )
  .map((verbs) => `"${verbs.map((verb) => `%${verb}`).join(' ')}"`);
const constant = oneOf(
  '0',
  '1',
  '-3',
  '2.5',
  '1e3',
  "'a'",
  '0x1f',
  '1i',
  '"text"',
  '`raw`',
  '"\\xff"',
  'true',
  'false',
  'nil',
  '99999999999',
);

const expressions = fc.letrec<{ operand: string; pipeline: string; command: string }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    field,
    constant,
    oneOf('.', '$', '$v', '$i', 'null', 'boom'),
    sequence('(', tie('pipeline'), ')', oneOf('', '.a', '.b.c')),
  ),
  command: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    tie('operand'),
    sequence(oneOf(...UNARY), ' ', tie('operand')),
    sequence(oneOf(...BINARY), ' ', tie('operand'), ' ', tie('operand')),
    sequence('printf ', format, ' ', tie('operand'), ' ', tie('operand')),
    sequence('include ', oneOf('"t"', '"u"', '"main.tpl"'), ' ', tie('operand')),
  ),
  pipeline: sequence(tie('command'), oneOf('', '', ' | print', ' | len', ' | printf "%v"', ' | index .a')),
}));

const statements = fc.letrec<{ list: string; statement: string }>((tie) => ({
  list: fc.array(tie('statement'), { maxLength: 3 }).map((texts) => texts.join('')),
  statement: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    oneOf(
      'text',
      ' \n ',
      'é',
      '{{/* comment */}}',
      '{{break}}',
      '{{continue}}',
      '{{template "t" .}}',
      '{{template "u" .a}}',
    ),
    sequence(oneOf('{{', '{{- '), expressions.pipeline, oneOf('}}', ' -}}')),
    sequence('{{$v ', oneOf(':=', '='), ' ', expressions.pipeline, '}}'),
    sequence(
      '{{if ',
      expressions.pipeline,
      '}}',
      tie('list'),
      oneOf('', '{{else}}', '{{else if .a}}'),
      tie('list'),
      '{{end}}',
    ),
    sequence(
      '{{with $v := ',
      expressions.pipeline,
      '}}',
      tie('list'),
      oneOf('', '{{else}}', '{{else with .b}}'),
      tie('list'),
      '{{end}}',
    ),
    sequence(
      '{{range ',
      oneOf('', '$v := ', '$i, $v := ', '$v = '),
      expressions.pipeline,
      '}}',
      tie('list'),
      oneOf('', '{{else}}'),
      '{{end}}',
    ),
    sequence('{{range $i, $v := ', oneOf('.a', '.', '.b', 'list 1 2 .'), '}}', tie('list'), '{{end}}'),
    sequence('{{range ', oneOf('3', '1000000', '.c'), '}}', tie('list'), '{{end}}'),
  ),
}));

const file = sequence(
  '{{$v := .}}{{$i := 0}}',
  statements.list,
  '{{define "t"}}{{$v := .}}{{$i := 1}}',
  statements.list,
  '{{end}}{{define "u"}}{{$v := 2}}{{$i := .}}',
  statements.list,
  '{{end}}',
);

const data = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, false, 0, 1, -7, 1.5, 1e21, '', 'text', 'é\u{1f600}\u0000', '<&>'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(oneOf(...KEYS), tie('value'), { maxKeys: 4 }),
  ),
}));

/** The output, or the kind of the error; throws whatever is not a TemplateError. */
function outcome(text: string, value: unknown): { readonly output?: string; readonly kind?: string } {
  let now = 0;
  try {
    const { set } = parseTemplates([{ name: 'main.tpl', text }], testFunctions);
    const options = { now: 0, monotonic: () => now++, limits: LIMITS };
    return { output: runAtOnce(set.render('main.tpl', readTemplateData(JSON.stringify(value)), options)).text };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { kind: error.kind };
  }
}

t.test('random templates with random data', async (t) => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(file, data.value, (text, value) => {
      const { output, kind = 'output' } = outcome(text, value);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      return output === undefined || byteLength(output) <= LIMITS.outputBytes;
    }),
    { numRuns: 3000 },
  );
  // The grammar reaches all of these.
  for (const kind of ['output', 'syntax', 'field', 'type', 'function', 'range', 'argument-count', 'limit']) {
    t.ok((seen.get(kind) ?? 0) > 0, `${kind}: ${seen.get(kind)}`);
  }
});

t.test('strings that are hardly templates', async (t) => {
  const piece = oneOf(
    '{{',
    '}}',
    '{{-',
    ' -}}',
    '(',
    ')',
    '|',
    '"',
    '`',
    "'",
    '.',
    '$',
    '$x',
    ':=',
    '=',
    ',',
    '/*',
    '*/',
    ' ',
    '\n',
    '\\',
    'if',
    'end',
    'else',
    'range',
    'with',
    'define',
    'template',
    'block',
    'nil',
    '1',
    '0x',
    '1i',
    '.a',
    'print',
    'é',
    '\udc80',
    '@',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ unit: 'binary' })), { maxLength: 30 }), (pieces) => {
      const { output, kind } = outcome(pieces.join(''), null);
      return output !== undefined || kind !== undefined;
    }),
    { numRuns: 1000 },
  );
  t.pass('only text or a TemplateError');
});

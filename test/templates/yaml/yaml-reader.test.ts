/** YAML documents: places of nodes and errors in the text, and what is refused although YAML allows it. */
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { YamlError } from '../../../src/templates/yaml/yaml-cursor.ts';
import { LENIENT, readYaml, STRICT } from '../../../src/templates/yaml/yaml-reader.ts';

function failure(yaml: string): { readonly message: string; readonly at: string } {
  try {
    runAtOnce(readYaml(yaml, STRICT));
  } catch (error) {
    if (error instanceof YamlError) return { message: error.message, at: yaml.slice(error.offset, error.offset + 5) };
    throw error;
  }
  throw new Error('no error');
}

t.test('nodes and keys have the index of their first character', async (t) => {
  const node = runAtOnce(readYaml('# c\na:\n  b: [x, "yé"]\n', STRICT));
  t.match(node, {
    kind: 'map',
    offset: 4,
    entries: new Map([
      [
        'a',
        {
          offset: 4,
          value: {
            kind: 'map',
            offset: 9,
            entries: new Map([
              [
                'b',
                {
                  offset: 9,
                  value: {
                    kind: 'list',
                    offset: 12,
                    items: [
                      { kind: 'scalar', offset: 13, value: 'x' },
                      { kind: 'scalar', offset: 16, value: 'yé' },
                    ],
                  },
                },
              ],
            ]),
          },
        },
      ],
    ]),
  });
});

t.test('integers are bigints, other numbers are numbers', async (t) => {
  t.match(runAtOnce(readYaml('[1, 1.0, 1e3, 18446744073709551615]', STRICT)), {
    items: [{ value: 1n }, { value: 1 }, { value: 1000 }, { value: 18446744073709551615n }],
  });
});

t.test('a directive without a document', async (t) => {
  for (const yaml of ['%YAML 1.1', '%YAML 1.1\n']) t.throws(() => runAtOnce(readYaml(yaml, STRICT)), YamlError);
});

t.test('a text without a document gives nothing, a document without content null', async (t) => {
  t.equal(runAtOnce(readYaml(' \n# comment\n', STRICT)), undefined);
  t.match(runAtOnce(readYaml('---\n', STRICT)), { kind: 'scalar', value: null });
});

t.test('anchors, aliases, merge keys and tags are refused at their place', async (t) => {
  t.same(failure('a: 1\nb: &x 2'), { message: 'found the anchor &x; anchors are not allowed', at: '&x 2' });
  t.same(failure('a: *x'), { message: 'found the alias *x; aliases are not allowed', at: '*x' });
  t.same(failure('a:\n  <<: {b: 1}'), {
    message: 'found a merge key (<<); merge keys are not allowed',
    at: '<<: {',
  });
  t.same(failure('a: !!str 1'), { message: 'found the tag !!str; tags are not allowed', at: '!!str' });
  t.match(runAtOnce(readYaml('"<<": 1', STRICT)), { entries: new Map([['<<', { value: { value: 1n } }]]) });
});

t.test('duplicate keys, numbers that are not finite and other documents are refused at their place', async (t) => {
  t.same(failure('a: 1\nb: 2\na: 3'), { message: 'key "a" already set in map', at: 'a: 3' });
  t.same(failure('1: a\n"1": b'), { message: 'key "1" already set in map', at: '"1": ' });
  t.same(failure('a: [.inf]'), { message: 'found .inf; only finite numbers are allowed', at: '.inf]' });
  t.same(failure('a: 1\n---\nb: 2'), { message: 'found a second document, expected one', at: '---\nb' });
  t.same(failure('{a: 1}\n}'), { message: 'found text after the document', at: '}' });
  t.same(failure('? [a]\n: 1'), {
    message: 'found a key that is neither a string, a number nor a boolean',
    at: '[a]\n:',
  });
});

t.test('a syntax error is at the character that shows it', async (t) => {
  t.same(failure('a: b\nc: d: e'), { message: 'mapping values are not allowed in this context', at: ': e' });
  t.same(failure('&a - x'), { message: 'block sequence entries are not allowed in this context', at: '- x' });
  t.same(failure('a:\n  - x\n y: z'), { message: 'did not find expected key', at: 'y: z' });
  t.same(failure('a: "b\nc: d'), { message: 'found unexpected end of stream', at: '"b\nc:' });
  t.same(failure('a: \u0000'), { message: 'control characters are not allowed', at: '\u0000' });
  t.same(failure('a: \udc80'), { message: 'control characters are not allowed', at: '\udc80' });
});

t.test('aliases that grow a document are limited, and none contains itself', async (t) => {
  const grown = Array.from({ length: 9 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(i === 0 ? 0 : 9)}]`).join(
    '\n',
  );
  t.throws(() => runAtOnce(readYaml(grown, LENIENT)), { message: 'document contains excessive aliasing' });
  t.throws(() => runAtOnce(readYaml('a: &x [*x]', LENIENT)), { message: "anchor 'x' value contains itself" });
});

t.test('nesting is limited', async (t) => {
  t.throws(() => runAtOnce(readYaml('['.repeat(100_000), STRICT)), { message: 'exceeded max depth of 1000' });
  t.throws(() => runAtOnce(readYaml('- '.repeat(500), STRICT)), { message: 'exceeded max depth of 200' });
  t.match(runAtOnce(readYaml('['.repeat(150) + ']'.repeat(150), STRICT)), { kind: 'list' });
});

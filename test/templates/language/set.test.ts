/** Several template files become one set: order of names, definitions that replace others, places of errors and of output. */
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { DEFAULT_LIMITS, type Limits, type RefusedFunction, TemplateError } from '../../../src/templates/contract.ts';
import { TEMPLATE_FUNCTIONS } from '../../../src/templates/functions/function-table.ts';
import { readTemplateData, toTemplateData } from '../../../src/templates/language/data.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import type { SlicedFunction, Value } from '../../../src/templates/values.ts';

const include: SlicedFunction = {
  name: 'include',
  parameters: ['string', 'interface {}'],
  variadic: false,
  run: ([name, data], context) => context.render(String(name), data),
};
const tpl: SlicedFunction = {
  name: 'tpl',
  parameters: ['string', 'interface {}'],
  variadic: false,
  run: ([text, data], context) => context.renderText(String(text), data),
};
const functions = new Map([
  ['include', include],
  ['tpl', tpl],
]);

/** A clock that moves by `ms` whenever it is read. */
const clock = (ms: number): (() => number) => {
  let now = 0;
  return () => (now += ms);
};

function render(
  files: Readonly<Record<string, string>>,
  name: string,
  data = '{}',
  limits: Partial<Limits> = {},
  ms = 0,
) {
  const sources = Object.entries(files).map(([file, text]) => ({ name: file, text }));
  const { set, warnings } = parseTemplates(sources, functions);
  const options = { now: 0, monotonic: clock(ms), limits: { ...DEFAULT_LIMITS, ...limits } };
  return { ...runAtOnce(set.render(name, readTemplateData(data), options)), warnings, set };
}

function failure(run: () => unknown): TemplateError {
  try {
    run();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('no error');
}

t.test('the later file in byte order replaces a template, with a warning that names both places', async (t) => {
  const files = {
    'b.tpl': '\n{{define "x"}}second{{end}}',
    'a.tpl': '{{define "x"}}first{{end}}{{template "x"}}',
    'é.tpl': '',
  };
  const { text, warnings, set } = render(files, 'a.tpl');
  t.equal(text, 'second');
  t.same(warnings, ['b.tpl:2 defines template "x" again; it replaces the one of a.tpl:1']);
  t.same(set.names, ['a.tpl', 'b.tpl', 'x', 'é.tpl']);
  t.ok(set.has('x'));
  t.notOk(set.has('y'));
});

t.test('an empty definition does not replace another one', async (t) => {
  const { text, warnings } = render(
    { 'a.tpl': '{{define "x"}}first{{end}}{{template "x"}}', 'b.tpl': '{{define "x"}} {{/* nothing */}}\n{{end}}' },
    'a.tpl',
  );
  t.equal(text, 'first');
  t.same(warnings, []);
});

t.test('two definitions of one name in one file are an error', async (t) => {
  const error = failure(() => render({ 'a.tpl': '{{define "x"}}1{{end}}\n{{define "x"}}2{{end}}' }, 'a.tpl'));
  t.match(error, { kind: 'syntax', place: { template: 'a.tpl', line: 2, column: undefined } });
});

t.test('a template that is not there is an error with its name', async (t) => {
  t.match(
    failure(() => render({ 'a.tpl': '' }, 'b.tpl')),
    { kind: 'undefined-template', message: /"b.tpl"/ },
  );
});

t.test('a refused function is an error of the parser with the reason', async (t) => {
  const env: RefusedFunction = { name: 'env', refused: 'it reads the environment of the server' };
  const source = { name: 'a.tpl', text: 'x\n{{ env "HOME" }}' };
  const error = failure(() => parseTemplates([source], new Map([['env', env]])));
  t.match(error, { kind: 'refused-function', place: { template: 'a.tpl', line: 2 }, message: /reads the environment/ });
});

t.test('the output knows the place in the template that wrote it', async (t) => {
  const files = {
    'a.tpl': 'one\ntwo é {{ .x }}\n{{ template "b" . }}',
    'b.tpl': '{{ define "b" }}in {{ .x }}{{ end }}',
  };
  const { text, placeAt } = render(files, 'a.tpl', '{"x": "X"}');
  t.equal(text, 'one\ntwo é X\nin X');
  t.same(placeAt(0), { template: 'a.tpl', line: 1, column: 0 });
  t.same(placeAt(text.indexOf('é')), { template: 'a.tpl', line: 2, column: 4 });
  t.same(placeAt(text.indexOf('X')), { template: 'a.tpl', line: 2, column: 10 });
  t.same(placeAt(text.indexOf('in') + 1), { template: 'b.tpl', line: 1, column: 17 });
  t.same(placeAt(text.length - 1), { template: 'b.tpl', line: 1, column: 22 });
  t.same(render({ 'a.tpl': '' }, 'a.tpl').placeAt(0), { template: 'a.tpl', line: 1, column: 0 });
});

t.test('bytes of a character that two actions write are one character of the output', async (t) => {
  const text = render({ 'a.tpl': String.raw`{{ "\xc3" }}{{ "\xa9" }}{{ "\xc3" }}` }, 'a.tpl').text;
  t.equal(text, 'é\udcc3');
});

t.test('an error inside of an included template names both places', async (t) => {
  const files = { 'a.tpl': '\n{{ include "b" . }}', 'b.tpl': '{{ define "b" }}\n {{ .x.y }}{{ end }}' };
  const error = failure(() => render(files, 'a.tpl', '{"x": 1}'));
  t.match(error, { kind: 'function', place: { template: 'a.tpl', line: 2, column: 3 } });
  t.match(error.message, /error calling include: template: b\.tpl:2:6: executing "b" at <\.x\.y>/);
});

t.test('tpl sees the templates of the set, and what it defines ends with it', async (t) => {
  const files = {
    'a.tpl': '{{ tpl `{{ define "y" }}inner{{ end }}{{ include "x" . }} {{ include "y" . }}` . }} {{ include "y" . }}',
    'b.tpl': '{{ define "x" }}[{{ .v }}]{{ end }}{{ define "y" }}outer{{ end }}',
  };
  t.equal(render(files, 'a.tpl', '{"v": 1}').text, '[1] inner outer');
  t.equal(render({ 'a.tpl': '[{{ tpl `<{{ tpl "" . }}>` . }}]' }, 'a.tpl').text, '[<>]');
  const error = failure(() => render({ 'a.tpl': '\n{{ tpl "a\\n{{ nope }}" . }}' }, 'a.tpl'));
  t.match(error, {
    kind: 'function',
    place: { template: 'a.tpl', line: 2, column: 3 },
    message: /\(tpl\):2: function "nope"/,
  });
});

t.test(
  'data: literals without point and exponent are ints, others floats; unpaired surrogates are replaced',
  async (t) => {
    const text = String.raw`{"a": 1234567, "b": 1.0, "c": 1e3, "d": 9223372036854775808, "e": -0, "f": "\ud800x", "__proto__": 5}`;
    const files = { 'a.tpl': '{{ range $k, $v := . }}{{ $k }}={{ printf "%T" $v }} {{ $v }};{{ end }}' };
    t.equal(
      render(files, 'a.tpl', text).text,
      '__proto__=int 5;a=int 1234567;b=float64 1;c=float64 1000;d=float64 9.223372036854776e+18;e=int 0;f=string \ufffdx;',
    );
    t.same(
      runAtOnce(toTemplateData({ a: 2, b: 0.5, c: [true, undefined], d: undefined })),
      new Map<string, unknown>([
        ['a', 2n],
        ['b', 0.5],
        ['c', [true, null]],
      ]),
    );
  },
);

t.test('64 nested calls are allowed, and no more', async (t) => {
  const files = {
    'a.tpl': '{{ define "x" }}{{ if . }}{{ template "x" slice . 1 }}{{ end }}.{{ end }}{{ template "x" . }}',
  };
  t.equal(render(files, 'a.tpl', JSON.stringify('a'.repeat(63))).text, '.'.repeat(64));
  const error = failure(() => render(files, 'a.tpl', JSON.stringify('a'.repeat(64))));
  t.match(error, { kind: 'limit', place: { template: 'a.tpl', line: 1, column: 38 } });
  const endless = { 'a.tpl': '{{ define "x" }}{{ include "x" . }}{{ end }}\n{{ include "x" . }}' };
  t.match(
    failure(() => render(endless, 'a.tpl')),
    { kind: 'limit', message: /64 levels/ },
  );
});

t.test('an output of 10 MB is allowed, and no more', async (t) => {
  const text = 'x'.repeat(1000);
  const files = { 'a.tpl': `{{ range .n }}${text}{{ end }}\n{{ .end }}` };
  const run = (n: number) => render(files, 'a.tpl', `{"n": ${n}, "end": ""}`);
  t.equal(run(9999).text.length, 9_999_001);
  t.match(
    failure(() => run(10_001)),
    { kind: 'limit', place: { template: 'a.tpl', line: 1, column: 14 } },
  );
});

t.test('a million steps are allowed, and no more', async (t) => {
  const files = { 'a.tpl': '{{ range 400000 }}{{ end }}{{ range 9000000 }}\n{{ $x := . }}{{ end }}' };
  t.match(
    failure(() => render(files, 'a.tpl')),
    { kind: 'limit', place: { template: 'a.tpl', line: 2 }, message: /1000000 steps/ },
  );
});

t.test('after 200 ms of the clock a rendering ends', async (t) => {
  const files = { 'a.tpl': '{{ range 100000 }}{{ end }}' };
  t.match(
    failure(() => render(files, 'a.tpl', '{}', {}, 10)),
    { kind: 'limit', message: /200 ms/ },
  );
  t.equal(render(files, 'a.tpl', '{}', {}, 0.1).text, '');
});

t.test('work on long strings counts as steps', async (t) => {
  const files = { 'a.tpl': '{{ range 100000 }}{{ $y := len $.x }}{{ end }}' };
  const run = (length: number) => render(files, 'a.tpl', JSON.stringify({ x: 'x'.repeat(length) }));
  t.match(
    failure(() => run(4_000_000)),
    { kind: 'limit', message: /1000000 steps/ },
  );
});

t.test('the width of a string that printf pads counts as text that functions build', async (t) => {
  const files = { 'a.tpl': '{{ range 100 }}{{ $x := printf "%1000000s" "x" }}{{ end }}' };
  t.match(
    failure(() => render(files, 'a.tpl')),
    { kind: 'limit', message: /bytes of text/ },
  );
});

t.test('text that functions build is limited as well', async (t) => {
  const files = { 'a.tpl': '{{ $x := printf "%1000000d" 1 }}{{ range 100 }}{{ $y := print $x $x }}{{ end }}' };
  t.match(
    failure(() => render(files, 'a.tpl')),
    { kind: 'limit', message: /bytes of text/ },
  );
});

t.test('a chain of 3000 else ifs is no nesting', async (t) => {
  const arms = Array.from({ length: 3000 }, (_, i) => `{{ else if eq .x ${i} }}arm ${i}`).join('\n');
  const files = { 'a.tpl': `{{ if eq .x -1 }}first${arms}{{ else }}last {{ .y.z }}{{ end }}` };
  t.equal(render(files, 'a.tpl', '{"x": 2999}').text, 'arm 2999');
  t.equal(render(files, 'a.tpl', '{"x": -1}').text, 'first');
  t.equal(render(files, 'a.tpl', '{"x": 5000}').text, 'last <no value>');
  t.match(
    failure(() => render(files, 'a.tpl', '{"x": 5000, "y": 1}')),
    { kind: 'field', place: { template: 'a.tpl', line: 3000 } },
  );
});

t.test('nesting that adds up over nested calls ends with an error, not with the process', async (t) => {
  const branches = `${'{{ if . }}'.repeat(95)}{{ include "x" (slice . 1) }}${'{{ end }}'.repeat(95)}`;
  const files = { 'a.tpl': `{{ define "x" }}${branches}{{ end }}{{ template "x" . }}` };
  t.equal(render(files, 'a.tpl', JSON.stringify('a'.repeat(5))).text, '');
  const error = failure(() => render(files, 'a.tpl', JSON.stringify('a'.repeat(63))));
  t.match(error, { kind: 'limit', place: { template: 'a.tpl', line: 1 } });
});

t.test('nesting that would overflow the stack is an error of the parser', async (t) => {
  const parens = `{{ ${'('.repeat(50_000)}1${')'.repeat(50_000)} }}`;
  t.match(
    failure(() => render({ 'a.tpl': parens }, 'a.tpl')),
    { kind: 'syntax', message: /100 levels/ },
  );
  const branches = `${'{{ if true }}'.repeat(50_000)}${'{{ end }}'.repeat(50_000)}`;
  t.match(
    failure(() => render({ 'a.tpl': branches }, 'a.tpl')),
    { kind: 'syntax', message: /100 levels/ },
  );
  t.equal(render({ 'a.tpl': `{{ ${'('.repeat(99)}1${')'.repeat(99)} }}` }, 'a.tpl').text, '1');
});

/** Places of a rendering where other work may run. */
function pauses(template: string, data: Value): number {
  const { set } = parseTemplates([{ name: 'a.tpl', text: template }], TEMPLATE_FUNCTIONS);
  const work = set.render('a.tpl', data, { now: 0, monotonic: () => 0 });
  let count = 0;
  while (work.next().done !== true) count++;
  return count;
}

t.test('other work runs while functions render templates, or write and read long YAML and JSON', async (t) => {
  const list = Array.from({ length: 10_000 }, (_, index) => `item ${index}`);
  const loop = '{{ range . }}{{ . }}{{ end }}';
  t.ok(pauses(`{{ define "x" }}${loop}{{ end }}{{ include "x" . }}`, list) > 100);
  t.ok(pauses(`{{ define "x" }}${loop}{{ end }}{{ $text := (include "x" . | indent 2) }}`, list) > 100);
  t.ok(pauses(`{{ tpl "${loop}" . }}`, list) > 100);
  t.ok(pauses('{{ toYaml . }}', list) > 100);
  t.ok(pauses('{{ len (fromYamlArray .) }}', '- item\n'.repeat(20_000)) > 20);
  t.ok(pauses('{{ toJson . }}', list) > 100);
  t.ok(pauses('{{ toPrettyJson . }}', list) > 100);
  t.ok(pauses('{{ len (fromJsonArray .) }}', JSON.stringify([list, list, list])) > 20);
});

t.test('other work runs while a regular expression searches a long text', async (t) => {
  const text = 'one two '.repeat(20_000);
  for (const call of ['regexReplaceAll "[a-z]+" . "x"', 'regexMatch "three" .', 'len (regexFindAll "t.o" . -1)'])
    t.ok(pauses(`{{ $x := ${call} }}`, text) > 10, call);
});

t.test('one call of a function during which no other work runs takes at most 40 ms', async (t) => {
  const { set } = parseTemplates([{ name: 'a.tpl', text: 'a\n{{ $x := uniq . }}' }], TEMPLATE_FUNCTIONS);
  const list = Array.from({ length: 1_000 }, (_, index) => `item ${index}`);
  const run = (length: number) => set.render('a.tpl', list.slice(0, length), { now: 0, monotonic: clock(1) });
  t.equal(runAtOnce(run(50)).text, 'a\n');
  t.match(
    failure(() => runAtOnce(run(1_000))),
    { kind: 'limit', place: { line: 2 }, message: /<uniq .>: one call of this function takes longer than 40 ms$/ },
  );
});

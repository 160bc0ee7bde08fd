/** Values that only functions return: named types with fields and methods, function values, typed maps and numbers. */
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { TemplateError } from '../../../src/templates/contract.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';
import { NilMap, NilSlice } from '../../../src/templates/nil-values.ts';
import {
  Complex,
  Func,
  type GoFunction,
  GoObject,
  Sized,
  TypedMap,
  type Value,
} from '../../../src/templates/values.ts';

const method = (name: string, parameters: readonly string[], call: GoFunction['call']): [string, GoFunction] => [
  name,
  { name, parameters, variadic: false, call },
];

const time = new GoObject({
  type: 'time.Time',
  kind: 'struct',
  text: '2026-01-02 03:04:05 +0000 UTC',
  methods: new Map([
    method('Year', [], () => 2026n),
    method('Format', ['string'], ([layout]) => `formatted as ${layout}`),
  ]),
});
const version = new GoObject({
  type: '*semver.Version',
  kind: 'ptr',
  text: '1.2.3',
  methods: new Map([method('Major', [], () => new Sized('uint64', 1n))]),
  fields: new Map([['Original', 'v1.2.3']]),
});
const duration = new GoObject({ type: 'time.Duration', kind: 'int64', value: 3_000_000_000n, text: '3s' });
const join: GoFunction = {
  name: 'join',
  parameters: ['string', 'string'],
  variadic: true,
  call: ([separator, ...parts]) => parts.join(String(separator)),
};

const data: Value = new Map<string, Value>([
  ['time', time],
  ['version', version],
  ['duration', duration],
  ['join', new Func(join)],
  ['map', new TypedMap('string', new Map([['k', 'v']]))],
  ['numbers', new TypedMap('int', new Map([['one', 1n]]))],
  ['complex', new Complex(1, 2)],
  ['float', new Sized('float32', 0.1)],
  ['nilSlice', new NilSlice('string')],
  ['nilMap', new NilMap()],
  ['list', []],
]);

const functions = new Map([
  method('wantFloat32', ['float32'], ([value]) => value),
  method('wantComplex', ['complex128'], ([value]) => value),
  method('wantTime', ['time.Time'], ([value]) => (value === time ? 'time' : 'another value')),
  method('wantPointer', ['*semver.Version'], ([value]) => (value === null ? 'nil' : 'version')),
]);

const render = (text: string): string => {
  const { set } = parseTemplates([{ name: 'a.tpl', text }], functions);
  return runAtOnce(set.render('a.tpl', data, { now: 0, monotonic: () => 0 })).text;
};

function kindOfError(text: string): string {
  try {
    return `no error: ${render(text)}`;
  } catch (error) {
    if (error instanceof TemplateError) return error.kind;
    throw error;
  }
}

t.test('methods and fields of named types', async (t) => {
  t.equal(
    render('{{ .time.Year }} {{ .time.Format "2006" }} {{ "x" | .time.Format }}'),
    '2026 formatted as 2006 formatted as x',
  );
  t.equal(render('{{ .version.Major }} {{ .version.Original }} {{ (.version).Major }}'), '1 v1.2.3 1');
  t.equal(render('{{ with .time }}{{ .Year }}{{ $.version.Major }}{{ end }}'), '20261');
  t.equal(kindOfError('{{ .time.Month }}'), 'field');
  t.equal(kindOfError('{{ .time.Format }}'), 'argument-count');
  t.equal(kindOfError('{{ .time.Format 1 }}'), 'type');
  t.equal(kindOfError('{{ .version.Original 1 }}'), 'argument-count');
});

t.test('named types print as their method String does, and are true', async (t) => {
  t.equal(
    render('{{ .duration }} {{ printf "%v %s %d %T" .duration .duration .duration .duration }}'),
    '3s 3s 3s 3000000000 time.Duration',
  );
  t.equal(
    render('{{ .time }} {{ printf "%T" .time }} {{ .version }}'),
    '2026-01-02 03:04:05 +0000 UTC time.Time 1.2.3',
  );
  t.equal(render('{{ if .time }}yes{{ end }}{{ if .version }}yes{{ end }}{{ if .duration }}yes{{ end }}'), 'yesyesyes');
});

t.test('named numbers compare as their kind, structs by value', async (t) => {
  t.equal(
    render('{{ eq .duration 3000000000 }} {{ lt .duration 1 }} {{ eq .time .time }} {{ eq .version .version }}'),
    'true false true true',
  );
  t.equal(kindOfError('{{ eq .time .version }}'), 'function');
  t.equal(kindOfError('{{ lt .time .time }}'), 'function');
});

t.test('arguments are checked against named types', async (t) => {
  t.equal(
    render('{{ wantTime .time }} {{ wantPointer .version }} {{ wantPointer nil }} {{ wantPointer .nope }}'),
    'time version nil nil',
  );
  t.equal(kindOfError('{{ wantTime .version }}'), 'type');
  t.equal(kindOfError('{{ wantTime nil }}'), 'type');
  t.equal(kindOfError('{{ wantTime "now" }}'), 'type');
});

t.test('nil slices and maps equal nil, and are empty', async (t) => {
  t.equal(
    render('{{ eq .nilSlice nil }} {{ eq .nilSlice .list }} {{ eq .nilMap .nope }} {{ eq .nilMap .map }}'),
    'true false true false',
  );
  t.equal(
    render('{{ .nilSlice }} {{ .nilMap }} {{ len .nilSlice }} {{ printf "%#v %#v" .nilSlice .nilMap }}'),
    '[] map[] 0 []string(nil) map[string]interface {}(nil)',
  );
  t.equal(kindOfError('{{ eq .nilSlice .nilMap }}'), 'function');
});

t.test('call calls a function value', async (t) => {
  t.equal(render('{{ call .join "-" "a" "b" }} {{ call .join "-" }}'), 'a-b ');
  t.equal(kindOfError('{{ call .join }}'), 'function');
  t.equal(kindOfError('{{ call .join 1 }}'), 'function');
  t.equal(kindOfError('{{ .join }}'), 'value');
});

t.test('typed maps and numbers', async (t) => {
  t.equal(
    render('{{ .map.k }} {{ .map }} {{ printf "%T %#v" .map .map }}'),
    'v map[k:v] map[string]string map[string]string{"k":"v"}',
  );
  t.equal(
    render('[{{ index .map "nope" }}] [{{ .map.nope }}] {{ index .numbers "nope" }} {{ len .map }}'),
    '[] [<no value>] 0 1',
  );
  t.equal(render('{{ range $k, $v := .map }}{{ $k }}={{ $v }}{{ end }}'), 'k=v');
  t.equal(
    render('{{ .float }} {{ printf "%T %v %.2f" .float .float .float }} {{ .complex }}'),
    '0.1 float32 0.1 0.10 (1+2i)',
  );
  t.equal(
    render('{{ wantFloat32 1.5 }} {{ wantFloat32 .float }} {{ wantComplex 2i }} {{ wantComplex .complex }}'),
    '1.5 0.1 (0+2i) (1+2i)',
  );
});

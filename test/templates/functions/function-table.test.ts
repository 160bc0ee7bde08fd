/** Template functions where vectors of Go cannot say it: the fixed time, refusals, limits, values that share content. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runAtOnce } from '../../../src/system/slices.ts';
import { DEFAULT_LIMITS, type Limits, TemplateError } from '../../../src/templates/contract.ts';
import { TEMPLATE_FUNCTIONS } from '../../../src/templates/functions/function-table.ts';
import { parseTemplates } from '../../../src/templates/language/set.ts';

const NOW = Date.UTC(2024, 1, 29, 23, 59, 58, 125);

function render(text: string, limits: Partial<Limits> = {}): string {
  const { set } = parseTemplates([{ name: 'main.tpl', text }], TEMPLATE_FUNCTIONS);
  return runAtOnce(
    set.render('main.tpl', null, { now: NOW, monotonic: () => 0, limits: { ...DEFAULT_LIMITS, ...limits } }),
  ).text;
}

function failure(text: string, limits?: Partial<Limits>): TemplateError {
  try {
    render(text, limits);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error(`no error: ${text}`);
}

t.test('the current time is that of the rendering, in UTC', async (t) => {
  t.equal(render('{{ now }}'), '2024-02-29 23:59:58.125 +0000 UTC');
  t.equal(render('{{ now | date "2006-01-02 15:04:05 MST" }}'), '2024-02-29 23:59:58 UTC');
  t.equal(render('{{ date "15:04" "not a date" }} {{ htmlDate (dict) }}'), '23:59 2024-02-29');
  t.equal(render('{{ now | unixEpoch }} {{ now.Unix }} {{ now.UnixMilli }}'), '1709251198 1709251198 1709251198125');
  t.equal(render('{{ now | toJson }}'), '"2024-02-29T23:59:58.125Z"');
});

t.test('a value is printed if it has at most 256 levels', async (t) => {
  const print = (levels: number): string =>
    `{{ print (fromJson (printf "%s1%s" (repeat ${levels} "{\\"a\\":") (repeat ${levels} "}"))) }}`;
  t.equal(render(print(256)), `${'map[a:'.repeat(256)}1${']'.repeat(256)}`);
  t.match(failure(print(257)), { message: /a value is nested deeper than 256 levels/ });
});

t.test('toYaml writes a float without fraction as an int, also within maps and lists', async (t) => {
  t.equal(render('{{ toYaml (dict "a" (dict "b" 1e6) "c" (list (list 1e6))) }}'), 'a:\n  b: 1000000\nc:\n- - 1000000');
});

t.test('ago and durationRound count from the time of the rendering', async (t) => {
  t.equal(render('{{ ago 1709251193 }} {{ ago (now | dateModify "-90m") }} {{ ago "x" }}'), '5s 1h30m0s 0s');
  t.equal(render('{{ now | dateModify "-50h" | durationRound }}'), '2d');
});

t.test('the zone of another place is read from the time zone database', async (t) => {
  const zones = [
    'America/New_York',
    'Europe/Berlin',
    'Asia/Tokyo',
    'Australia/Sydney',
    'America/Sao_Paulo',
    'Asia/Kolkata',
  ];
  const summer = zones.map((zone) => render(`{{ dateInZone "15:04 MST -07:00" 1720000000 "${zone}" }}`));
  t.same(summer, [
    '05:46 EDT -04:00',
    '11:46 CEST +02:00',
    '18:46 JST +09:00',
    '19:46 AEST +10:00',
    '06:46 -03 -03:00',
    '15:16 IST +05:30',
  ]);
});

t.test(
  'functions that are random, or ask the host, the network or the cluster are refused with the reason',
  async (t) => {
    const refused = [...TEMPLATE_FUNCTIONS.values()].flatMap((each) => ('refused' in each ? [each.name] : []));
    t.same(
      refused.sort(),
      (
        'bcrypt buildCustomCert encryptAES env expandenv genCA genCAWithKey genPrivateKey genSelfSignedCert ' +
        'genSelfSignedCertWithKey genSignedCert genSignedCertWithKey getHostByName htpasswd lookup randAlpha randAlphaNum ' +
        'randAscii randBytes randInt randNumeric shuffle uuidv4'
      ).split(' '),
    );
    t.match(failure('\n{{ env "HOME" }}'), {
      kind: 'refused-function',
      place: { line: 2 },
      message: /env.*depends on the host/,
    });
    t.match(failure('{{ uuidv4 }}'), { kind: 'refused-function', message: /uuidv4.*random/ });
    t.match(failure('{{ lookup "v1" "Pod" "" "" }}'), { kind: 'refused-function', message: /lookup.*cluster/ });
  },
);

t.test('loops, long strings and deep values stop at the limits', async (t) => {
  t.match(failure('{{ until 2000000 }}'), { kind: 'limit' });
  t.match(failure('{{ seq 1 2000000 }}'), { kind: 'limit' });
  t.match(failure('{{ repeat 2000000000 "abc" }}'), { kind: 'limit' });
  t.match(failure('{{ indent 200000000 "a" }}'), { kind: 'limit' });
  t.match(failure('{{ $s := repeat 10000 "x" }}{{ $s = replace "x" $s $s }}'), { kind: 'limit' });
  t.match(failure('{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toYaml $d }}{{ mustToJson $d }}'), {
    kind: 'function',
    message: /encountered a cycle via map\[string\]interface \{\}$/,
  });
  t.match(failure('{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ deepCopy $d }}'), {
    message: /nested deeper than 1000 levels/,
  });
});

t.test('regular expressions take time in proportion to the string', async (t) => {
  t.equal(render('{{ regexMatch "^(a+)+$" (printf "%sb" (repeat 5000 "a")) }}'), 'false');
  t.equal(render('{{ regexMatch "(x*)*y" (repeat 5000 "x") }}'), 'false');
  t.match(failure('{{ regexMatch "(a?){900}b" (repeat 100000 "a") }}', { steps: 20_000 }), { kind: 'limit' });
  t.match(
    failure(
      '{{ mustRegexMatch "((a{100}){10}b{1000}){1}((c{1000}){1}[a-z]{1000}){1}(d{1000}e{1000}f{1000}g{1000}h{1000}i{1000}j{1000}k{1000}l{1000}m{1000}n{1000}o{1000}p{1000}q{1000}r{1000}s{1000}t{1000}u{1000}v{1000})" "a" }}',
    ),
    {
      message: /expression too large/,
    },
  );
});

t.test('merged maps share their content with the sources, copies do not', async (t) => {
  const text =
    '{{ $a := dict "x" (dict "y" 1) }}{{ $m := merge (dict) $a }}{{ $c := deepCopy $a }}{{ $_ := set $a.x "y" 2 }}';
  t.equal(render(`${text}{{ $m.x.y }} {{ $c.x.y }}`), '2 1');
});

t.test('keys and values come in the order of the keys', async (t) => {
  t.equal(render('{{ keys (dict "b" 1 "a" 2 "é" 3) }} {{ values (dict "b" 1 "a" 2) }}'), '[a b é] [2 1]');
});

t.test('the documentation lists all functions, the refused ones apart', async (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/templates-functions.md'), 'utf8');
  const [available = '', refused = ''] = page.split('## ');
  const named = (text: string): readonly string[] =>
    text.split('\n').flatMap((line) => {
      const cells = /^\| [^|]+ \| (`.*`) \|$/.exec(line)?.[1] ?? '';
      return [...cells.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    });
  const all = [...TEMPLATE_FUNCTIONS.values()];
  const names = (isRefused: boolean): readonly string[] =>
    all.flatMap((each) => ('refused' in each === isRefused ? [each.name] : []));
  t.same([...named(available)].sort(), [...names(false)].sort());
  t.same([...named(refused)].sort(), [...names(true)].sort());
});

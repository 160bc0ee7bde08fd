/**
 * `npm run test:everything` reports the result of each suite, in a line and in its exit code, and leaves nothing behind.
 * The suites are played.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eventually } from '../support/eventually.ts';
import { type Result, runAll, type Surroundings, tableOf } from './run.ts';
import { runBy, SUITES, type Suite } from './suites.ts';

const sh = (name: string, script: string, more: Partial<Suite> = {}): Suite => ({
  name,
  what: '',
  command: ['/bin/sh', '-c', script],
  ...more,
});

function stage(t: Test, more: Partial<Surroundings> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'everything-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  let said = '';
  const write = (text: string): void => {
    said += text;
  };
  const { signal } = new AbortController();
  const surroundings = { directory, environment: {}, write, isTerminal: false, signal, ...more };
  return {
    directory,
    surroundings,
    said: () => said,
    log: (name: string) => readFileSync(join(directory, name), 'utf8'),
  };
}

const withoutTime = ({ ms: _, ...result }: Result) => result;

t.test('one that fails, one that cannot run, and those after them: a line each', async (t) => {
  const { surroundings, said, log } = stage(t);
  const results = await runAll(
    [
      sh('bad', 'echo out; echo err >&2; echo "# { total: 3, pass: 2, fail: 1 }"; exit 3', {
        counts: /^# \{ (total: .*) \}$/gm,
      }),
      sh('far', 'exit 0', { needs: ['FAR_AWAY', 'FAR_TOKEN'] }),
      sh('good', 'echo 1 of 9; echo 2 of 9; echo "colour $NO_COLOR"', { counts: /^(\d of \d)$/gm }),
    ],
    surroundings,
  );
  t.strictSame(results.map(withoutTime), [
    { name: 'bad', result: 'FAILED', note: 'total: 3, pass: 2, fail: 1', log: '1-bad.log' },
    { name: 'far', result: 'not run', note: 'FAR_AWAY, FAR_TOKEN not set', log: '' },
    { name: 'good', result: 'ok', note: '2 of 9', log: '3-good.log' },
  ]);
  t.strictSame(
    said()
      .replaceAll(/\d+:\d\d/g, 'TIME')
      .split('\n'),
    [
      'FAILED: bad, TIME, total: 3, pass: 2, fail: 1',
      'not run: far, FAR_AWAY, FAR_TOKEN not set',
      'ok: good, TIME, 2 of 9',
      '',
    ],
  );
  t.equal(log('1-bad.log'), 'out\nerr\n# { total: 3, pass: 2, fail: 1 }\n');
  t.equal(log('3-good.log'), '1 of 9\n2 of 9\ncolour 1\n');
});

t.test('the table', async (t) => {
  const results: readonly Result[] = [
    { name: 'check', result: 'ok', note: 'Checked 400 files', ms: 5_400, log: '1-check.log' },
    { name: 'faults', result: 'FAILED', note: '', ms: 187_000, log: '2-faults.log' },
    { name: 'real', result: 'not run', note: 'CLUSTER_API_URL not set', ms: 0, log: '' },
  ];
  t.strictSame(tableOf(results).split('\n'), [
    'SUITE   RESULT   TIME  COUNTS                   LOG',
    'check   ok       0:05  Checked 400 files        1-check.log',
    'faults  FAILED   3:07                           2-faults.log',
    'real    not run  -     CLUSTER_API_URL not set',
    '',
  ]);
});

t.test('a terminal shows which suite runs', async (t) => {
  const { surroundings, said } = stage(t, { isTerminal: true });
  await runAll([sh('first', 'exit 0'), sh('second', 'exit 0')], surroundings);
  t.equal(
    said(),
    '\r\u001b[K1 of 2: first 0:00\r\u001b[Kok: first, 0:00\n\r\u001b[K2 of 2: second 0:00\r\u001b[Kok: second, 0:00\n',
  );
});

t.test('interrupted: all its processes end, no other suite starts', async (t) => {
  const controller = new AbortController();
  const { directory, surroundings, log } = stage(t, { signal: controller.signal });
  const running = runAll([sh('long', 'sleep 1000 & echo $!; wait'), sh('later', 'touch later')], surroundings);
  const pid = Number(
    await eventually(() => existsSync(join(directory, '1-long.log')) && (log('1-long.log').trim() || false)),
  );
  t.ok(existsSync(`/proc/${pid}`));
  controller.abort();
  t.strictSame((await running).map(withoutTime), [
    { name: 'long', result: 'interrupted', note: '', log: '1-long.log' },
    { name: 'later', result: 'not run', note: 'interrupted before', log: '' },
  ]);
  t.notOk(existsSync(`/proc/${pid}`));
  t.strictSame(readdirSync(directory), ['1-long.log']);
});

t.test('the suites are scripts of this checkout', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  const run = SUITES.filter(({ command }) => command[0] === 'npm').map(({ command }) => command[2]);
  t.strictSame(
    run.filter((script) => scripts[script ?? ''] === undefined),
    [],
  );
  const tests = Object.keys(scripts).filter((script) => /^test|^check$|^bench$|^package$|^currency$/.test(script));
  t.strictSame(
    tests.filter((script) => !run.includes(script)),
    ['test:everything'],
  );
});

t.test('--real: a program that sets variables runs the suite that needs them, and no other', async (t) => {
  const { directory, surroundings, log } = stage(t);
  const enter = join(directory, 'enter');
  writeFileSync(enter, '#!/bin/sh\nFAR_AWAY=there exec "$@"\n', { mode: 0o755 });
  const suites = [sh('real', 'echo "at $FAR_AWAY"', { needs: ['FAR_AWAY'] }), sh('other', 'echo "at $FAR_AWAY"')];
  const results = await runAll(
    suites.map((suite) => runBy(enter, suite)),
    surroundings,
  );
  t.strictSame(
    results.map(({ result }) => result),
    ['ok', 'ok'],
  );
  t.equal(log('1-real.log'), 'at there\n');
  t.equal(log('2-other.log'), 'at \n');
});

t.test('what is typed wrongly: one sentence, exit code 2', async (t) => {
  const main = join(import.meta.dirname, 'main.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, '--only', 'check,nosuch'], {
    encoding: 'utf8',
  });
  t.equal(status, 2);
  t.equal(stdout, '');
  t.equal(
    stderr,
    'npm run test:everything: --only takes check, test, long, mutants, faults, hostile, planted, simulated, real, release, deno, bench, package, currency, not nosuch\n',
  );
});

/** A log line is one line of text or one JSON object, which cannot change a terminal; long fields and lines are cut. */
import t from 'tap';
import { jsonFormat } from '../../src/system/log-format.ts';
import { memoryLogger, PROGRAM } from '../support/memory-logger.ts';

t.test('lines have the form of the protocol', async (t) => {
  const { log, lines } = memoryLogger('DEBUG');
  log.info('Submitted a job', {
    user: 'jane',
    name: 'x, job: y',
    job: 'x-1',
    exitCode: 0,
    image: undefined,
    ids: ['a'],
  });
  log.warning('two\nlines\r\nand \u001b[31m red \u202e');
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:6443'), { code: 'ECONNREFUSED' });
  class KubernetesError extends Error {
    override readonly name = 'KubernetesError';
    readonly code = 'UNREACHABLE';
    readonly token = 'secret';
  }
  log.warning('No list of jobs', { error: new KubernetesError('GET /jobs', { cause }), attempt: 3 });
  log.warning('Odd', { error: { token: 'secret' } });
  t.strictSame(lines, [
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] INFO Submitted a job [user: jane, name: "x, job: y", job: x-1, exitCode: 0, ids: ["a"]]',
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING two|||lines|||and \\u001b[31m red \\u202e',
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING No list of jobs [attempt: 3]; KubernetesError error UNREACHABLE (GET /jobs); CAUSED BY: Error error ECONNREFUSED (connect ECONNREFUSED 10.0.0.1:6443)',
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING Odd; object (a thrown value that is not an Error)',
  ]);
  log.error('Broken', { error: new Error('boom') });
  t.match(lines[4], /ERROR Broken; Error \(boom\); OCCURRED at .*log-format\.test\.ts:\d+:\d+\)?\|\|\|at /);
  log.close();
});

t.test('JSON: one object a line', async (t) => {
  const { log, lines } = memoryLogger('DEBUG', jsonFormat(PROGRAM));
  log.error('Broken \u202e \u001b', { error: new Error('boom', { cause: 'because' }), job: 'x' });
  const [line = ''] = lines;
  t.notMatch(line, /[\u0000-\u001f\u202e]/);
  t.match(JSON.parse(line), {
    time: '2026-01-02T12:00:00.000000Z',
    program: PROGRAM,
    level: 'ERROR',
    message: 'Broken \u202e \u001b',
    job: 'x',
    errors: [
      { name: 'Error', message: 'boom', stack: /^ {4}at / },
      { name: 'string', message: 'because' },
    ],
  });
  log.close();
});

t.test('fields are cut at 256 bytes, with their length', async (t) => {
  const { log, lines } = memoryLogger('DEBUG');
  log.info('x', { id: 'é'.repeat(1_000), list: Array.from({ length: 100 }, () => 'abc') });
  t.equal(
    lines[0],
    `2026-01-02T12:00:00.000000Z [${PROGRAM}] INFO x [id: "${'é'.repeat(128)}... (2000 bytes)", list: ${'["abc","'.padEnd(256, 'abc","')}... (601 bytes)]`,
  );
});

t.test('lines are cut at 8 KiB, with their length', async (t) => {
  const { log, lines } = memoryLogger('DEBUG');
  log.warning('x', { error: new Error('y'.repeat(10_000)) });
  const [line = ''] = lines;
  t.ok(line.endsWith('y... (10077 bytes)'));
  t.equal(line.length, 8_192 + '... (10077 bytes)'.length);
});

t.test('a JSON line of more than 8 KiB stays JSON', async (t) => {
  const { log, lines } = memoryLogger('DEBUG', jsonFormat(PROGRAM));
  log.error('x', { error: new Error('y'.repeat(10_000)), id: 'z'.repeat(300) });
  t.same(JSON.parse(lines[0] ?? ''), {
    time: '2026-01-02T12:00:00.000000Z',
    program: PROGRAM,
    level: 'ERROR',
    message: 'x',
    id: `${'z'.repeat(256)}... (300 bytes)`,
    errors: [{ name: 'Error', message: `${'y'.repeat(256)}... (10000 bytes)` }],
  });
  log.close();
});

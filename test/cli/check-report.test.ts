/** The report of `check`: JSON, colors, folded lines, and the limit of 15 s for all steps. */
import { createServer as createHttpsServer } from 'node:https';
import t from 'tap';
import { fakeClock } from '../support/fake-clock.ts';
import { issue } from './certificates.ts';
import { base64, linesOf, listen, run, type Situation } from './harness.ts';

const OPTIONS = { 'api-url': 'https://127.0.0.1:1', 'auth-token': 'a-token' };

/** No deadline passes, unless a test advances the clock: a busy host does not change the result. */
const options = (more: Readonly<Record<string, string>>, clock = fakeClock(Date.now())): Situation => ({
  options: { ...OPTIONS, ...more },
  context: { clock },
});

t.test('--json has each skipped step', async (t) => {
  const json = JSON.parse((await run(t, ['check', '--config-file=DIR/launcher.gpu.conf', '--json'])).out);
  t.equal(json.results.length, 22, 'each step');
});

t.test('all steps end within 15 s', async (t) => {
  const identity = issue();
  const clock = fakeClock(Date.now());
  // The version takes 2.4 s. Of eight access reviews at a time each adds 0.29 s, so that none takes 2.5 s, but all 9 s. The next
  // request takes what is left.
  const slowness = (path: string): number =>
    path === '/version' ? 2_400 : path.includes('reviews') ? 290 : 15_000 - clock.monotonic();
  const slow = createHttpsServer({ cert: identity.cert, key: identity.key }, (request, response) => {
    if (clock.monotonic() < 15_000) clock.advance(slowness(request.url ?? ''));
    response.setHeader('Content-Type', 'application/json');
    const review = { kind: 'SelfSubjectAccessReview', status: { allowed: true } };
    response.end(
      JSON.stringify(request.url === '/version' ? { major: '1', minor: '36', gitVersion: 'v1.36.2' } : review),
    );
  });
  const port = await listen(t, slow);
  const outcome = await run(
    t,
    ['check'],
    options({ 'api-url': `https://127.0.0.1:${port}`, 'certificate-authority': base64(identity.ca) }, clock),
  );
  t.strictSame(linesOf(outcome, 'version'), ['ok version Kubernetes v1.36.2']);
  t.strictSame(linesOf(outcome, 'namespace'), [
    'failed namespace the limit of 15 s for all steps is exceeded -> this step or a step above is slow; run check again, and see which step waits',
  ]);
  t.match(outcome.out, /^skipped {2}\d steps {9}the limit of 15 s for all steps is exceeded: .*nodes, metrics/m);
  t.match(outcome.lines.at(-1), / \(15\.0 s\)$/);
});

t.test('a terminal gets colors and folded lines', async (t) => {
  const { out, lines } = await run(t, ['check'], {
    ...options({ 'log-level': '9' }),
    terminal: { columns: 60, color: true },
  });
  t.strictSame(lines.slice(0, 5), [
    '\u001b[31mfailed   \u001b[0moptions         DIR/',
    '                         launcher.kubernetes.conf:4:',
    '                         log-level: "9" must be one of OFF,',
    '                         ERROR, WARNING, INFO, DEBUG, or 0',
    '                         to 4 -> fix this line; the plugin',
  ]);
  t.match(
    out,
    '\u001b[90mskipped  \u001b[0m21 steps        skipped because of a failure above:\n                         server-user, open-files,\n',
  );
});

/** An outage of the API server is logged once, and so is its end, however many watches it affects. */
import t from 'tap';
import { KubernetesError, type KubernetesErrorCode } from '../../../src/kubernetes/kubernetes-error.ts';
import { ApiHealth } from '../../../src/kubernetes/watch/api-health.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { recordingLog } from '../server.ts';

const failure = (code: KubernetesErrorCode): Error =>
  new KubernetesError({ code, method: 'GET', path: '/x', text: code });

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const sentences = (log: ReturnType<typeof recordingLog>): readonly string[] =>
  log.lines.map(({ sentence }) => sentence);

t.test('an outage is logged once, and its end when the last watch works again', async (t) => {
  const clock = fakeClock();
  const log = recordingLog();
  const health = new ApiHealth(clock, log);
  const error = failure('unreachable');
  health.failed('jobs', error, 2);
  health.failed('pods', failure('timeout'), 2);
  health.failed('jobs', error, 3);
  clock.advance(90_000);
  health.succeeded('jobs');
  t.strictSame(sentences(log), ['API server unreachable; retrying']);
  health.succeeded('pods');
  health.succeeded('pods');
  t.strictSame(log.lines, [
    {
      level: 'NOTICE',
      sentence: 'API server unreachable; retrying',
      fields: {
        since: '2026-01-02T03:04:05.678Z',
        meanwhile:
          'running jobs continue; lists show the last known state of each job; submit, stop, kill and output wait, then fail',
        error,
      },
    },
    { level: 'NOTICE', sentence: 'API server reachable again', fields: { seconds: 90 } },
  ]);
});

t.test('a single lost connection is not logged', async (t) => {
  const log = recordingLog();
  const health = new ApiHealth(fakeClock(), log);
  t.equal(health.failed('jobs', failure('unreachable'), 1), true);
  health.succeeded('jobs');
  t.strictSame(log.lines, []);
});

t.test('a refusal is left to the watch that was refused', async (t) => {
  const log = recordingLog();
  const health = new ApiHealth(fakeClock(), log);
  for (const code of ['forbidden', 'expired', 'bad-answer', 'not-found'] as const)
    t.equal(health.failed('events', failure(code), 5), false, code);
  t.equal(health.failed('jobs', new Error('not a KubernetesError'), 5), false);
  t.strictSame(log.lines, []);
});

const FAILURES: readonly (readonly [code: KubernetesErrorCode, times: number, sentence: string])[] = [
  ['unauthorized', 1, 'API server rejected the token (401); run rstudio-kubernetes-launcher check; retrying'],
  [
    'tls',
    1,
    'TLS connection to the API server failed; check certificate-authority with rstudio-kubernetes-launcher check; retrying',
  ],
  ['redirected', 1, 'API server answers with a redirect; correct api-url; retrying'],
  ['server-error', 2, 'API server returns errors; retrying'],
  ['interrupted', 2, 'API server unreachable; retrying'],
];
for (const [code, times, sentence] of FAILURES) {
  t.test(`${code} of four watches is logged once, from failure ${times} on`, async (t) => {
    const log = recordingLog();
    const health = new ApiHealth(fakeClock(), log);
    for (const watch of ['jobs', 'pods', 'services', 'events']) {
      for (let count = 1; count <= times + 1; count++) t.equal(health.failed(watch, failure(code), count), true);
    }
    t.strictSame(sentences(log), [sentence]);
  });
}

t.test('each kind of failure of one outage is logged once', async (t) => {
  const log = recordingLog();
  const health = new ApiHealth(fakeClock(), log);
  for (const code of ['unreachable', 'unauthorized', 'unreachable', 'unauthorized'] as const)
    health.failed('jobs', failure(code), 2);
  t.strictSame(sentences(log), [
    'API server unreachable; retrying',
    'API server rejected the token (401); run rstudio-kubernetes-launcher check; retrying',
  ]);
});

t.test('a stopped watch ends its outage without a line, and the next outage is logged again', async (t) => {
  const log = recordingLog();
  const health = new ApiHealth(fakeClock(), log);
  health.failed('jobs', failure('unreachable'), 2);
  health.stopped('jobs');
  health.failed('jobs', failure('unreachable'), 2);
  t.strictSame(sentences(log), ['API server unreachable; retrying', 'API server unreachable; retrying']);
});

t.test('a server that answers nothing while watches are silent is logged 13 s after its last answer', async (t) => {
  const clock = fakeClock();
  const log = recordingLog();
  const ending = new AbortController();
  let answer: () => Promise<void> = () => Promise.resolve();
  const reads: (number | undefined)[] = [];
  const probing = new ApiHealth(clock, log).probe(({ timeoutMs }) => {
    reads.push(timeoutMs);
    return answer();
  }, ending.signal);
  await settled();
  answer = () => new Promise((_, reject) => clock.after(8_000, () => reject(failure('timeout'))));
  for (const ms of [5_000, 7_999]) {
    clock.advance(ms);
    await settled();
    t.strictSame(log.lines, []);
  }
  clock.advance(1);
  await settled();
  t.match(log.lines, [{ sentence: 'API server unreachable; retrying', fields: { since: '2026-01-02T03:04:05.678Z' } }]);
  answer = () => Promise.resolve();
  clock.advance(5_000);
  await settled();
  t.match(log.lines[1], { sentence: 'API server reachable again', fields: { seconds: 18 } });
  t.strictSame(reads, [8_000, 8_000, 8_000]);
  ending.abort();
  await probing;
});

t.test('an account that may not read the version is no outage', async (t) => {
  const log = recordingLog();
  const ending = new AbortController();
  const probing = new ApiHealth(fakeClock(), log).probe(() => Promise.reject(failure('forbidden')), ending.signal);
  await settled();
  ending.abort();
  await probing;
  t.strictSame(log.lines, []);
});

/** A health whose server has just answered. */
function answering() {
  const clock = fakeClock();
  const log = recordingLog();
  const health = new ApiHealth(clock, log);
  health.succeeded('version');
  return { clock, log, health };
}

t.test('a silent watch beside a server that answers is one line, and so is its end', async (t) => {
  const { clock, log, health } = answering();
  health.silent('pods', 14_000);
  health.silent('events', 14_000);
  clock.advance(3_000);
  health.succeeded('pods');
  health.heard('pods');
  health.heard('events');
  t.strictSame(log.lines, [
    {
      level: 'NOTICE',
      sentence: 'Watch of the API server is silent; opening it again',
      fields: {
        since: '2026-01-02T03:03:51.678Z',
        meanwhile:
          'the API server answers other requests; changes of these objects are shown when the watch works again',
        kind: 'pods',
      },
    },
    { level: 'NOTICE', sentence: 'Watch of the API server works again', fields: { seconds: 17 } },
  ]);
});

t.test('a watch that is silent because the server is unreachable is not logged beside the outage', async (t) => {
  const { clock, log, health } = answering();
  clock.advance(6_001);
  health.silent('pods', 14_000);
  health.failed('version', failure('timeout'), 2);
  health.silent('jobs', 14_000);
  health.heard('jobs');
  clock.advance(1_000);
  health.succeeded('version');
  health.succeeded('pods');
  health.heard('pods');
  t.strictSame(sentences(log), ['API server unreachable; retrying', 'API server reachable again']);
});

t.test('a silent watch is logged as soon as the server answers another request', async (t) => {
  const { clock, log, health } = answering();
  clock.advance(6_001);
  health.silent('pods', 14_000);
  t.strictSame(log.lines, []);
  health.succeeded('version');
  t.strictSame(sentences(log), ['Watch of the API server is silent; opening it again']);
});

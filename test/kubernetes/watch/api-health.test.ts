/** An outage of the API server is logged once, and so is its end, however many watches it affects. */
import t from 'tap';
import { KubernetesError, type KubernetesErrorCode } from '../../../src/kubernetes/kubernetes-error.ts';
import { ApiHealth } from '../../../src/kubernetes/watch/api-health.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { recordingLog } from '../server.ts';

const failure = (code: KubernetesErrorCode): Error =>
  new KubernetesError({ code, method: 'GET', path: '/x', text: code });

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
    { level: 'NOTICE', sentence: 'API server unreachable; retrying', fields: { error } },
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

/** That the API server is gone, or refuses us, is told once, and so is its end, however many watches see it. */
import t from 'tap';
import { KubernetesError, type KubernetesErrorCode } from '../../../src/kubernetes/kubernetes-error.ts';
import { createContact } from '../../../src/kubernetes/watch/api-health.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { recordingLog } from '../server.ts';

const failure = (code: KubernetesErrorCode): Error =>
  new KubernetesError({ code, method: 'GET', path: '/x', text: code });

t.test('an outage is told once, and so is its end, however many watches see it', async (t) => {
  const clock = fakeClock();
  const log = recordingLog();
  const contact = createContact(clock, log);
  const gone = failure('unreachable');
  contact.regained('jobs');
  t.equal(contact.lost('jobs', gone, 1), true, 'a connection breaks now and then');
  t.strictSame(log.lines, []);
  contact.lost('jobs', gone, 2);
  contact.lost('pods', failure('timeout'), 2);
  contact.lost('jobs', gone, 3);
  clock.advance(90_000);
  contact.regained('jobs');
  t.equal(log.lines.length, 1, 'pods do not know yet');
  contact.regained('pods');
  contact.regained('pods');
  t.strictSame(log.lines, [
    { level: 'NOTICE', sentence: 'No contact with the API server; trying again', fields: { error: gone } },
    { level: 'NOTICE', sentence: 'Contact with the API server again', fields: { seconds: 90 } },
  ]);
});

t.test('a refusal is an answer, and the business of who got it', async (t) => {
  const log = recordingLog();
  const contact = createContact(fakeClock(), log);
  for (const code of ['forbidden', 'expired', 'bad-answer', 'not-found'] as const)
    t.equal(contact.lost('events', failure(code), 5), false, code);
  t.equal(contact.lost('jobs', new Error('no error of Kubernetes'), 5), false);
  t.strictSame(log.lines, []);
});

t.test('what is wrong is told once, at once where trying again does not help', async (t) => {
  const rows: readonly (readonly [code: KubernetesErrorCode, times: number, sentence: string])[] = [
    [
      'unauthorized',
      1,
      'The API server refuses the token (401): rstudio-kubernetes-launcher check tells more; trying again',
    ],
    [
      'tls',
      1,
      'The certificate of the API server is refused, or TLS fails: is option certificate-authority right? rstudio-kubernetes-launcher check tells more; trying again',
    ],
    ['server-error', 2, 'The API server answers with errors; trying again'],
    ['interrupted', 2, 'No contact with the API server; trying again'],
  ];
  for (const [code, times, sentence] of rows) {
    const log = recordingLog();
    const contact = createContact(fakeClock(), log);
    for (const who of ['jobs', 'pods', 'services', 'events']) {
      t.equal(contact.lost(who, failure(code), times), true);
      contact.lost(who, failure(code), times + 1);
    }
    t.strictSame(
      log.lines.map((line) => line.sentence),
      [sentence],
    );
  }
});

t.test('trouble that changes is told again; who does not ask any more says nothing', async (t) => {
  const log = recordingLog();
  const contact = createContact(fakeClock(), log);
  for (const code of ['unreachable', 'unauthorized', 'unreachable', 'unauthorized'] as const)
    contact.lost('jobs', failure(code), 2);
  t.match(
    log.lines.map(({ sentence }) => sentence),
    [/^No contact/, /^The API server refuses the token/],
  );
  t.equal(log.lines.length, 2);
  contact.left('jobs');
  contact.lost('jobs', failure('unreachable'), 2);
  t.match(log.lines[2]?.sentence, /^No contact/);
});

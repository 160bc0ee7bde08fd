import t from 'tap';
import { createContact } from '../../src/kubernetes/contact.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../src/kubernetes/errors.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { recordingLog } from './server.ts';

const failure = (code: KubernetesErrorCode): Error =>
  new KubernetesError({ code, method: 'GET', path: '/x', text: code });

t.test('an outage is told once, and so is its end, however many watches see it', async (t) => {
  const clock = fakeClock();
  const log = recordingLog();
  const contact = createContact(clock, log);
  const gone = failure('unreachable');
  contact.regained('jobs');
  contact.lost('jobs', gone);
  contact.lost('pods', failure('timeout'));
  contact.lost('jobs', gone);
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

t.test('a refusal is an answer; who does not ask any more says nothing', async (t) => {
  const log = recordingLog();
  const contact = createContact(fakeClock(), log);
  contact.lost('events', failure('forbidden'));
  contact.lost('jobs', failure('expired'));
  t.strictSame(log.lines, []);
  for (const code of ['unauthorized', 'tls', 'server-error', 'bad-answer', 'interrupted'] as const) {
    contact.lost('jobs', failure(code));
    contact.left('jobs');
  }
  t.strictSame(
    log.lines.map(({ sentence }) => sentence),
    Array(5).fill('No contact with the API server; trying again'),
  );
});

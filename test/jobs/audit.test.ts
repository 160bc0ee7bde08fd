/** The audit log names the user of each request, and counts the refusals of one user. */
import t from 'tap';
import { auditedJobs } from '../../src/jobs/audit.ts';
import type { Jobs } from '../../src/jobs/contract.ts';
import { JobError } from '../../src/jobs/job-error.ts';
import type { LogFields } from '../../src/system/log.ts';
import { silentLog } from '../../src/system/log.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { EMPTY_REQUEST } from '../support/job-request.ts';

/** Jobs of alice; `mallory` may do nothing. */
function start() {
  const clock = fakeClock();
  const lines: (readonly [string, LogFields])[] = [];
  const notice = (sentence: string, fields: LogFields = {}): void => {
    lines.push([sentence, fields]);
  };
  const find = (id: string, requester: string) => {
    if (requester === 'mallory') throw new JobError('job-not-found', `There is no job ${id} for user mallory.`);
    return { id, user: 'alice', container: { image: 'busybox' } };
  };
  const jobs = {
    find,
    list: () => [],
    submit: async () => ({ id: 'job-2', container: { image: 'busybox' } }),
    control: async () => ({ complete: true, message: '' }),
    output: async function* () {},
  } as unknown as Jobs;
  return { audited: auditedJobs(jobs, { ...silentLog, notice }, clock), lines, clock };
}

t.test('a control by an administrator names them', async (t) => {
  const { audited, lines } = start();
  await audited.control('job-1', '*', 'kill', 'carol');
  t.strictSame(lines, [
    ['Killed a job', { user: 'alice', requester: 'carol', as: '*', job: 'job-1', image: 'busybox', reason: undefined }],
  ]);
});

t.test('a submit by an administrator names them', async (t) => {
  const { audited, lines } = start();
  await audited.submit({ ...EMPTY_REQUEST, user: 'alice', name: 'report' }, '*', 1_000, 'carol');
  t.strictSame(lines, [
    ['Submitted a job', { user: 'alice', requester: 'carol', as: '*', name: 'report', image: 'busybox', job: 'job-2' }],
  ]);
});

t.test('an output read names the user and the owner of the job', async (t) => {
  const { audited, lines } = start();
  audited.output('job-1', '*', AbortSignal.timeout(60_000), 'carol');
  t.strictSame(lines, [['Reading the output of a job', { user: 'alice', requester: 'carol', as: '*', job: 'job-1' }]]);
});

t.test('more than ten refusals of one user in a minute are counted, those of other users are logged', async (t) => {
  const { audited, lines, clock } = start();
  for (let n = 0; n < 15; n++) await t.rejects(audited.control(`job-${n}`, 'mallory', 'kill'));
  t.equal(lines.length, 10);
  await audited.control('job-1', 'alice', 'kill');
  t.equal(lines.length, 11);
  clock.advance(59_000);
  audited.list('alice');
  t.equal(lines.length, 11, 'the minute is not over');
  clock.advance(1_000);
  audited.list('alice');
  t.strictSame(lines[11], ['Refused more requests of a user', { requester: 'mallory', refusals: 5, seconds: 60 }]);
  await t.rejects(audited.control('job-1', 'mallory', 'kill'));
  t.equal(lines.length, 13, 'a new minute');
});

t.test('more than 60 output reads of one user in a minute are counted, those of other users are logged', async (t) => {
  const { audited, lines, clock } = start();
  const read = (requester: string, requestedBy?: string): void => {
    audited.output('job-1', requester, AbortSignal.timeout(60_000), requestedBy);
  };
  for (let n = 0; n < 100; n++) read('alice');
  t.equal(lines.length, 60);
  read('*', 'carol');
  t.equal(lines.length, 61);
  clock.advance(60_000);
  audited.list('alice');
  t.strictSame(lines.slice(61), [
    ['Opened more output streams of a user', { requester: 'alice', reads: 40, seconds: 60 }],
  ]);
});

t.test('a user who names others in requestUsername is counted as one', async (t) => {
  const { audited, lines } = start();
  for (let n = 0; n < 15; n++) await t.rejects(audited.control('job-1', 'mallory', 'kill', `name-${n}`));
  t.equal(lines.length, 10);
  t.match(lines[9], ['Could not kill a job', { requester: 'name-9', as: 'mallory', code: 'job-not-found' }]);
});

t.test('every kill of a user is logged', async (t) => {
  const { audited, lines } = start();
  for (let n = 0; n < 200; n++) await audited.control(`job-${n}`, 'alice', 'kill');
  t.equal(lines.length, 200);
});

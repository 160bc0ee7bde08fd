/** What cannot be told costs itself and nothing else: the others are told, and the session goes on. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import { heartbeatResponse, jobsResponse } from '../../src/launcher/responses.ts';
import { createWriter } from '../../src/launcher/writer.ts';
import { createFakeJobs, type FakeJobs } from './fake-jobs.ts';
import { cancel, type Launcher, type Message, on, recordingLog, startLauncher, status, usage } from './harness.ts';

/** A name that no JSON can hold. */
const UNWRITABLE = { toJSON: () => raise('no such text') } as unknown as string;

function raise(message: string): never {
  throw new TypeError(message);
}

const list = (requestId: number, jobId = '*'): Message => ({
  messageType: 3,
  requestId,
  ...on(jobId),
  fields: ['name'],
});

async function session(jobs: FakeJobs): Promise<{ launcher: Launcher; lines: readonly string[] }> {
  const log = recordingLog();
  const launcher = await startLauncher({ jobs, log });
  return { launcher, lines: log.lines };
}

const brief = ({ requestId, id, status, errorCode, errorMessage, jobs }: Message) =>
  Object.fromEntries(
    Object.entries({ requestId, id, status, errorCode, errorMessage, jobs }).filter(([, value]) => value !== undefined),
  );

t.test('given a domain that cannot list, a status stream is answered with an error and is no more', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1' });
  const { launcher, lines } = await session({ ...jobs, list: () => raise('broken list') });
  t.strictSame((await launcher.ask(status(5, '*'))).map(brief), [
    { requestId: 5, errorCode: 0, errorMessage: 'broken list' },
  ]);
  t.strictSame(lines, ['ERROR A request failed for a reason that should not occur']);
  t.strictSame((await launcher.ask(status(6, 'job-1'))).map(brief), [{ requestId: 0, id: 'job-1', status: 'Pending' }]);
  jobs.put({ id: 'job-1', status: 'Running' });
  t.strictSame(
    (await launcher.received()).map(({ sequences }) => sequences),
    [[{ requestId: 6, seqId: 2 }]],
    'changes go to the other stream alone',
  );
  await launcher.end();
});

t.test('given a job whose state cannot be told, the others are told, now and when they change', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1' });
  jobs.put({ id: 'job-2', name: UNWRITABLE });
  jobs.put({ id: 'job-3' });
  const { launcher, lines } = await session(jobs);
  t.strictSame((await launcher.ask(status(5, '*'))).map(brief), [
    { requestId: 0, id: 'job-1', status: 'Pending' },
    { requestId: 0, id: 'job-3', status: 'Pending' },
  ]);
  t.strictSame(lines, ['ERROR BUG: the state of a job cannot be told']);
  jobs.put({ id: 'job-2', status: 'Running' });
  jobs.put({ id: 'job-3', status: 'Running' });
  t.strictSame((await launcher.received()).map(brief), [{ requestId: 0, id: 'job-3', status: 'Running' }]);
  t.equal(lines.length, 2);
  await launcher.end();
});

t.test('given a job that cannot be found for another reason than its absence, the others are told', async (t) => {
  const jobs = createFakeJobs();
  for (const id of ['job-1', 'job-2', 'job-3']) jobs.put({ id });
  const { launcher, lines } = await session({
    ...jobs,
    find: (id, requester) => (id === 'job-2' ? raise('broken job') : jobs.find(id, requester)),
  });
  t.strictSame((await launcher.ask(status(5, '*'))).map(brief), [
    { requestId: 0, id: 'job-1', status: 'Pending' },
    { requestId: 0, id: 'job-3', status: 'Pending' },
  ]);
  t.strictSame(lines, ['ERROR BUG: the state of a job cannot be told']);
  t.strictSame((await launcher.ask(status(6, 'job-2'))).map(brief), [
    { requestId: 6, errorCode: 0, errorMessage: 'broken job' },
  ]);
  await launcher.end();
});

t.test('given a job that cannot be written, a list goes without it; asked for alone, it is an error', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1' });
  jobs.put({ id: 'job-2', name: UNWRITABLE });
  const { launcher, lines } = await session(jobs);
  t.strictSame((await launcher.ask(list(5))).map(brief), [{ requestId: 5, jobs: [{ name: 'job-1', id: 'job-1' }] }]);
  t.strictSame(lines, ['ERROR BUG: a job cannot be written and is left out of the list']);
  t.strictSame((await launcher.ask(list(6, 'job-2'))).map(brief), [
    { requestId: 6, errorCode: 0, errorMessage: 'no such text' },
  ]);
  await launcher.end();
});

t.test('given a measurement that cannot be written, the stream goes on with the next one', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1', status: 'Running' });
  const { launcher, lines } = await session(jobs);
  await launcher.ask(usage(5, 'job-1'));
  jobs.usageOf('job-1').push({ cpuPercent: UNWRITABLE as unknown as number });
  jobs.usageOf('job-1').push({ cpuPercent: 7 });
  t.match(await launcher.received(), [{ cpuPercent: 7, complete: false }]);
  t.strictSame(lines, ['ERROR BUG: a message to the launcher could not be made and was not sent']);
  await launcher.ask(cancel(7, 5));
  await launcher.end();
});

t.test('a writer goes on after what cannot be made: nothing waits for it, and no number is lost', async (t) => {
  const output = new PassThrough();
  const failed: unknown[] = [];
  const writer = createWriter({
    output,
    maxMessageSize: 1000,
    tooLarge: () => undefined,
    failed: (error) => failed.push(error),
  });
  await writer.send(() => raise('broken'));
  await writer.send(() => jobsResponse('1', []));
  await writer.send(() => raise('broken'), 'bulk');
  await writer.send(() => heartbeatResponse);
  await writer.send(() => jobsResponse('2', []));
  t.strictSame(failed, [new TypeError('broken'), new TypeError('broken')]);
  writer.close();
  t.strictSame(String(output.read()).match(/\{.*?\}/g), [
    '{"messageType":2,"requestId":1,"responseId":0,"jobs":[]}',
    '{"messageType":0,"requestId":0,"responseId":0}',
    '{"messageType":2,"requestId":2,"responseId":1,"jobs":[]}',
  ]);
});

/** Frames arrive whole however they are split, none of ours is above max-message-size, and what is none is the end. */
import fc from 'fast-check';
import t from 'tap';
import { JobError } from '../../src/jobs/job-error.ts';
import { BrokenFrameError, createFrameReader, frame } from '../../src/launcher/frames.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { type Message, network, on, recordingLog, settle, startLauncher } from './harness.ts';

t.test('[frame-split] frames arrive whole, however the pipe splits and joins them', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
      (bodies, sizes) => {
        const bytes = Buffer.concat(bodies.map(frame));
        const reader = createFrameReader(1200);
        const found: string[] = [];
        for (let from = 0, turn = 0; from < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          for (const body of reader.push(bytes.subarray(from, from + size))) found.push(body.toString());
          from += size;
        }
        t.strictSame(found, bodies);
        return reader.pending() === 0;
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('[frame-length] the length is big-endian and counts bytes', (t) => {
  t.strictSame([...frame('é')], [0, 0, 0, 2, 0xc3, 0xa9]);
  t.strictSame([...frame('x'.repeat(258)).subarray(0, 4)], [0, 0, 1, 2]);
  t.end();
});

t.test('[frame-oversize] a length above the limit is refused at its header; the limit itself is fine', (t) => {
  const reader = createFrameReader(5);
  t.strictSame([...reader.push(frame('12345'))].map(String), ['12345']);
  t.throws(() => [...reader.push(frame('123456').subarray(0, 4))], {
    name: 'BrokenFrameError',
    code: 'broken-frame',
    message: 'a frame of 6 bytes arrived; max-message-size allows 5',
  });
  t.end();
});

t.test('[frame-max] no frame is above max-message-size, whatever is in it', async (t) => {
  const maxMessageSize = 1200;
  const jobs = createFakeJobs();
  const long = '\u0001'.repeat(5000);
  jobs.on.control = async () => ({ complete: false, message: long });
  jobs.on.network = async () => {
    throw new JobError('unknown', long);
  };
  const launcher = await startLauncher({ maxMessageSize, jobs });
  jobs.put({ id: 'job-1', status: 'Running', statusMessage: long });
  jobs.put({ id: 'job-2', status: 'Running', name: long });
  for (let id = 1; id <= 50; id++) launcher.send({ messageType: 4, requestId: id, ...on('job-1') });
  launcher.send({ messageType: 4, requestId: 60, ...on('job-2') });
  for (let id = 100; id <= 140; id++) launcher.send({ messageType: 7, requestId: id, ...on('job-1') });
  await settle();
  jobs.usageOf('job-1').push({ cpuPercent: 1 });
  jobs.put({ id: 'job-1', statusMessage: `${long}.` });
  launcher.send({ messageType: 5, requestId: 70, ...on('job-1'), operation: 2 });
  launcher.send(network(71), { messageType: 3, requestId: 72, ...on('job-1') });
  const texts = await launcher.texts();
  t.ok(texts.every((text) => Buffer.byteLength(text) <= maxMessageSize));
  const messages = texts.map((text) => JSON.parse(text) as Message);
  const served = (messageType: number): number =>
    messages
      .filter((message) => message['messageType'] === messageType)
      .reduce((sum, message) => sum + (message['sequences'] as unknown[]).length, 0);
  t.equal(served(3), 100, 'initial states and a change for 50');
  t.equal(served(6), 41);
  const errors = messages.filter((message) => message['messageType'] === -1);
  t.strictSame(errors.map(({ requestId, errorCode }) => `${requestId} ${errorCode}`).sort(), ['70 0', '71 0', '72 2']);
  await launcher.end();
});

t.test('[answer-size] a list that does not fit is an Error that names the limit and the filters', async (t) => {
  const launcher = await startLauncher({ maxMessageSize: 20_000 });
  for (let i = 0; i < 100; i++) launcher.jobs.put({ id: `job-${i}`, statusMessage: 'é'.repeat(100) });
  t.same(await launcher.ask({ messageType: 3, requestId: 1, ...on('*') }), [
    {
      messageType: -1,
      requestId: 1,
      responseId: 0,
      errorCode: 2,
      errorMessage:
        'the 100 jobs do not fit into a message of 20000 bytes (max-message-size); ask for less with fields, tags, statuses, startTime or endTime',
    },
  ]);
  t.match(await launcher.ask({ messageType: 3, requestId: 2, ...on('*'), fields: ['status'] }), [
    { messageType: 2, responseId: 1 },
  ]);
  await launcher.end();
});

t.test('[end-broken] a broken frame ends the conversation and says so', async (t) => {
  const log = recordingLog();
  for (const bytes of [Buffer.from([255, 255, 255, 255]), frame(''), frame('{"requestId":'), frame('{} {}')]) {
    const launcher = await startLauncher({ log });
    launcher.input.write(bytes);
    await settle();
    const end = await launcher.session.done;
    t.equal(end.reason, 'broken-frame');
    t.type('error' in end ? end.error : undefined, BrokenFrameError);
    t.ok(launcher.input.destroyed);
  }
  t.same(log.lines, Array(4).fill('ERROR The launcher sent what is not a frame; the conversation ends'));
});

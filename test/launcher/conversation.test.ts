/** Bootstrap comes first, requests wait for the first list of jobs, and heartbeats and metrics are sent by timer. */
import t from 'tap';
import { JobError } from '../../src/jobs/job-error.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { cancel, on, output, settle, startLauncher, status, usage } from './harness.ts';

const alice = { username: 'alice', requestUsername: 'alice' };

t.test('[heartbeat-answer] [heartbeat-timer] heartbeats by timer and as answers, always response 0', async (t) => {
  const launcher = await startLauncher({ heartbeatIntervalSeconds: 5 });
  launcher.send({ messageType: 0, requestId: 0 });
  t.same(await launcher.texts(), ['{"messageType":0,"requestId":0,"responseId":0}']);
  await launcher.clock.advance(4999);
  t.same(await launcher.texts(), []);
  await launcher.clock.advance(5001);
  t.same(await launcher.texts(), [
    '{"messageType":0,"requestId":0,"responseId":0}',
    '{"messageType":0,"requestId":0,"responseId":0}',
  ]);
  await launcher.end();
});

t.test('[unknown-type] an unknown type of message is Error 1', async (t) => {
  const launcher = await startLauncher();
  launcher.send({ messageType: 17, requestId: 5, ...alice });
  t.same(await launcher.texts(), [
    '{"messageType":-1,"requestId":5,"responseId":0,"errorCode":1,"errorMessage":"messages of type 17 are not supported"}',
  ]);
  await launcher.end();
});

t.test('[error-codes] JobErrors become their error number; any other error is Error 0', async (t) => {
  const jobs = createFakeJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1', status: 'Running' });
  const codes = [
    ['unknown', 0],
    ['invalid-request', 2],
    ['job-not-found', 3],
    ['timeout', 5],
    ['job-not-running', 6],
    ['output-not-found', 7],
    ['invalid-job-state', 8],
  ] as const;
  for (const [code, errorCode] of codes) {
    jobs.on.control = async () => {
      throw new JobError(code, `because of ${code}`);
    };
    t.strictSame(await launcher.ask({ messageType: 5, requestId: 1, ...on('job-1'), operation: 0 }), [
      { messageType: -1, requestId: 1, responseId: 0, errorCode, errorMessage: `because of ${code}` },
    ]);
  }
  jobs.on.network = async () => {
    throw new TypeError('a defect');
  };
  t.match(await launcher.ask({ messageType: 8, requestId: 2, ...on('job-1') }), [
    { messageType: -1, errorCode: 0, errorMessage: 'a defect' },
  ]);
  jobs.on.submit = async () => {
    throw new JobError('unknown', 'POST /jobs: 500');
  };
  t.match(await launcher.ask({ messageType: 2, requestId: 3, ...alice, job: { name: 'a', command: 'b' } }), [
    { messageType: -1, errorCode: 0, errorMessage: 'POST /jobs: 500' },
  ]);
  await launcher.end();
});

t.test('[metrics] a report each interval, response 0, after a Bootstrap with 3.7 or newer', async (t) => {
  let sample: { buckets: number[]; sum: number } | undefined = { buckets: [1, 0, 0, 0, 0, 0, 0, 0, 0, 2], sum: 61.5 };
  const options = {
    metricsIntervalSeconds: 60,
    metrics: () => {
      const clusterInteractionLatencySample = sample;
      sample = undefined;
      return {
        uptimeSeconds: 61.9,
        memoryUsageBytes: 1234,
        ...(clusterInteractionLatencySample && { clusterInteractionLatencySample }),
      };
    },
  };
  const launcher = await startLauncher({ ...options, version: '3.7.0' });
  await launcher.clock.advance(59_999);
  t.strictSame(await launcher.texts(), []);
  await launcher.clock.advance(60_001);
  t.strictSame(await launcher.texts(), [
    '{"messageType":203,"requestId":0,"responseId":0,"uptimeSeconds":61,"memoryUsageBytes":1234,"clusterInteractionLatencySample":{"buckets":[1,0,0,0,0,0,0,0,0,2],"sum":61.5}}',
    '{"messageType":203,"requestId":0,"responseId":0,"uptimeSeconds":61,"memoryUsageBytes":1234}',
  ]);
  t.match(await launcher.ask({ messageType: 201, requestId: 1 }), [{ responseId: 1 }], 'it takes no number');
  await launcher.end();
});

t.test('[metrics-older] [negotiate-metrics] no report to older launchers, none with interval 0', async (t) => {
  const older = await startLauncher({ metricsIntervalSeconds: 60, version: '3.6.9' });
  await older.clock.advance(200_000);
  t.strictSame(await older.texts(), []);
  await older.ask({ messageType: 1, requestId: 1, version: { major: 4, minor: 9, patch: 0 } });
  await older.clock.advance(200_000);
  t.strictSame(await older.texts(), [], 'a refused version changes nothing');
  await older.end();

  const off = await startLauncher({ metricsIntervalSeconds: 0 });
  await off.clock.advance(200_000);
  t.strictSame(await off.texts(), []);
  await off.end();
});

t.test('[bootstrap-version] Bootstrap is answered with 3.10.0, as response 0', async (t) => {
  const launcher = await startLauncher({ version: null });
  launcher.sendText(
    '{"requestId":0,"messageType":1,"version":{"major":3,"minor":0,"patch":0,"build":"x","revision":1}}',
  );
  t.same(await launcher.texts(), [
    '{"messageType":1,"requestId":0,"responseId":0,"version":{"major":3,"minor":10,"patch":0}}',
  ]);
  await launcher.end();
});

t.test('[bootstrap-major] another major version is Error 10, and the session continues', async (t) => {
  const launcher = await startLauncher({ version: null });
  launcher.send({ messageType: 1, requestId: 0, version: { major: 4, minor: 0, patch: 0 } });
  launcher.send({ messageType: 1, requestId: 1, version: { major: 3, minor: 7, patch: 0 } });
  t.same(await launcher.received(), [
    {
      messageType: -1,
      requestId: 0,
      responseId: 0,
      errorCode: 10,
      errorMessage: 'API 4.0.0 is not supported; this plugin supports 3.10.0',
    },
    { messageType: 1, requestId: 1, responseId: 0, version: { major: 3, minor: 10, patch: 0 } },
  ]);
  await launcher.end();
});

t.test(
  '[bootstrap-wait] Bootstrap waits for the first sync, at most 10 s; then requests wait 10 s and get Error 0',
  async (t) => {
    const jobs = createFakeJobs();
    let finish = (): void => {};
    jobs.on.synced = (signal) =>
      new Promise((resolve, reject) => {
        finish = resolve;
        signal.addEventListener('abort', () => reject(new JobError('unknown', 'GET /jobs: connection refused')));
      });
    const launcher = await startLauncher({ version: null, jobs });
    t.same(await launcher.ask({ messageType: 1, requestId: 0, version: { major: 3, minor: 10, patch: 0 } }), []);
    await launcher.clock.advance(9999);
    t.same(await launcher.received(), []);
    await launcher.clock.advance(1);
    t.match(await launcher.received(), [{ messageType: 1, requestId: 0, responseId: 0 }]);

    t.same(await launcher.ask({ messageType: 3, requestId: 1, ...on('*') }), []);
    await launcher.clock.advance(10_000);
    t.same(await launcher.received(), [
      { messageType: -1, requestId: 1, responseId: 0, errorCode: 0, errorMessage: 'GET /jobs: connection refused' },
    ]);

    t.same(await launcher.ask({ messageType: 3, requestId: 2, ...on('*') }), []);
    finish();
    t.same(await launcher.received(), [{ messageType: 2, requestId: 2, responseId: 1, jobs: [] }]);
    await launcher.end();
  },
);

t.test('[bootstrap-again] a repeated Bootstrap is served like any other', async (t) => {
  const launcher = await startLauncher({ version: '3.10.0' });
  t.match(await launcher.ask({ messageType: 1, requestId: 7, version: { major: 3, minor: 2, patch: 9 } }), [
    { messageType: 1, requestId: 7, responseId: 1 },
  ]);
  await launcher.end();
});

t.test('[before-bootstrap] before Bootstrap is answered no message carries requestId 0', async (t) => {
  const launcher = await startLauncher({ version: null, heartbeatIntervalSeconds: 5 });
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('x');
  launcher.jobs.usageOf('job-1').push({ cpuPercent: 1 });
  launcher.send({ messageType: 0, requestId: 0 }, status(0, '*'), output(0, 'job-1'), usage(0, 'job-1'));
  await launcher.clock.advance(20_000);
  t.same(await launcher.received(), []);
  t.match(await launcher.ask({ messageType: 3, requestId: 5, ...on('job-1') }), [{ messageType: 2, requestId: 5 }]);
  const [first, ...others] = await launcher.ask({
    messageType: 1,
    requestId: 0,
    version: { major: 3, minor: 10, patch: 0 },
  });
  t.match(first, { messageType: 1, requestId: 0, responseId: 1 });
  t.same(others.map((message) => message['messageType']).sort(), [3, 5, 6]);
  await launcher.end();
});

t.test('[cancel-early] a cancel ends a stream that still waits for the first list of jobs', async (t) => {
  const jobs = createFakeJobs();
  const { promise, resolve } = Promise.withResolvers<void>();
  jobs.on.synced = () => promise;
  const launcher = await startLauncher({ version: null, jobs });
  jobs.put({ id: 'job-1', status: 'Running' });
  jobs.outputOf('job-1').push('x');
  launcher.send(status(1, '*'), output(2, 'job-1'), usage(3, 'job-1'));
  launcher.send(cancel(4, 1), cancel(6, 2), cancel(7, 3));
  launcher.send({ messageType: 1, requestId: 0, version: { major: 3, minor: 10, patch: 0 } });
  await settle();
  resolve();
  t.match(await launcher.received(), [{ messageType: 1, requestId: 0, responseId: 0 }]);
  t.equal(jobs.reading(), 0);
  await launcher.end();
});

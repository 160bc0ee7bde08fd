import t from 'tap';
import { JobError } from '../../src/jobs/contract.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { startLauncher } from './harness.ts';

const alice = { username: 'alice', requestUsername: 'alice' };
const on = (jobId: string) => ({ ...alice, jobId, encodedJobId: '' });

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

t.test('[bootstrap-major] another major version is Error 10, and the conversation goes on', async (t) => {
  const launcher = await startLauncher({ version: null });
  launcher.send({ messageType: 1, requestId: 0, version: { major: 4, minor: 0, patch: 0 } });
  launcher.send({ messageType: 1, requestId: 1, version: { major: 3, minor: 7, patch: 0 } });
  t.same(await launcher.received(), [
    {
      messageType: -1,
      requestId: 0,
      responseId: 0,
      errorCode: 10,
      errorMessage: 'API 4.0.0 is not supported; this plugin speaks 3.10.0',
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

t.test(
  '[submit-answer] [job-json-order] a submit is answered with the whole job, in the order of the protocol',
  async (t) => {
    const launcher = await startLauncher();
    launcher.sendText(
      '{"requestId":3,"messageType":2,"requestUsername":"u","username":"u","job":{"name":"a","command":"echo","args":["hi"],"tags":["x"],"user":"u","stdin":"secret"}}',
    );
    t.same(await launcher.texts(), [
      '{"messageType":2,"requestId":3,"responseId":1,"jobs":[{"args":["hi"],"command":"echo","config":[],"environment":[],"exe":"","exposedPorts":[],"host":"","id":"job-1","lastUpdateTime":"2026-01-02T03:04:05Z","mounts":[],"name":"a","placementConstraints":[],"queues":[],"resourceLimits":[],"resourceProfile":"custom","stdin":"","stderrFile":"","stdoutFile":"","status":"Pending","submissionTime":"2026-01-02T03:04:05Z","tags":["x"],"user":"u","workingDirectory":""}]}',
    ]);
    t.equal(launcher.jobs.submitted[0]?.request.stdin, 'secret', 'the domain gets the input');
    await launcher.end();
  },
);

t.test('[get-one] [get-all] [get-foreign] jobs by id, all of them, and those of others', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-2', user: 'alice' });
  launcher.jobs.put({ id: 'job-1', user: 'alice', status: 'Running' });
  launcher.jobs.put({ id: 'job-3', user: 'bob' });
  const ids = (messages: readonly unknown[]): unknown =>
    messages.map((message) => (message as { jobs: { id: string }[] }).jobs.map((job) => job.id));
  t.same(ids(await launcher.ask({ messageType: 3, requestId: 1, ...on('job-2') })), [['job-2']]);
  t.same(ids(await launcher.ask({ messageType: 3, requestId: 2, ...on('*') })), [['job-1', 'job-2']]);
  t.same(ids(await launcher.ask({ messageType: 3, requestId: 3, ...on('*'), username: '*' })), [
    ['job-1', 'job-2', 'job-3'],
  ]);
  t.match(await launcher.ask({ messageType: 3, requestId: 4, ...on('job-3') }), [{ messageType: -1, errorCode: 3 }]);
  t.match(await launcher.ask({ messageType: 3, requestId: 5, ...on('job-9') }), [{ messageType: -1, errorCode: 3 }]);
  await launcher.end();
});

t.test('[get-fields] only the fields asked for, and the id', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({
    id: 'job-1',
    name: 'a',
    status: 'Running',
    tags: ['x'],
    environment: [{ name: 'A', value: '1' }],
  });
  launcher.sendText(
    '{"requestId":9,"messageType":3,"requestUsername":"alice","username":"alice","jobId":"*","encodedJobId":"","tags":["x"],"statuses":["Running"],"fields":["name","status","exitCode","nonsense"]}',
  );
  t.same(await launcher.texts(), [
    '{"messageType":2,"requestId":9,"responseId":1,"jobs":[{"id":"job-1","name":"a","status":"Running"}]}',
  ]);
  launcher.send({ messageType: 3, requestId: 10, ...on('job-1'), fields: ['env'] });
  t.same(await launcher.texts(), [
    '{"messageType":2,"requestId":10,"responseId":2,"jobs":[{"environment":[{"name":"A","value":"1"}],"id":"job-1"}]}',
  ]);
  await launcher.end();
});

t.test('[control-answer] control says what became of it', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.sendText(
    '{"requestId":18,"messageType":5,"requestUsername":"alice","username":"alice","jobId":"job-1","encodedJobId":"","operation":3}',
  );
  t.same(await launcher.texts(), [
    '{"messageType":4,"requestId":18,"responseId":1,"statusMessage":"","operationComplete":true}',
  ]);
  t.same(launcher.jobs.calls, ['control job-1 alice kill']);
  await launcher.end();
});

t.test('[network-answer] host and addresses', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.send({ messageType: 8, requestId: 16, ...on('job-1') });
  t.same(await launcher.texts(), [
    '{"messageType":7,"requestId":16,"responseId":1,"host":"node-1","ipAddresses":["10.0.0.7"]}',
  ]);
  await launcher.end();
});

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

t.test('[status-initial] [status-change] present states to the new request, then changes', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', name: 'a' });
  launcher.send({ messageType: 4, requestId: 15, ...on('*'), cancel: false });
  t.same(await launcher.texts(), [
    '{"messageType":3,"requestId":0,"responseId":1,"sequences":[{"requestId":15,"seqId":1}],"id":"job-1","name":"a","status":"Pending"}',
  ]);
  launcher.send({ messageType: 4, requestId: 19, ...on('job-1') });
  t.same(await launcher.texts(), [
    '{"messageType":3,"requestId":0,"responseId":2,"sequences":[{"requestId":19,"seqId":1}],"id":"job-1","name":"a","status":"Pending"}',
  ]);
  launcher.jobs.put({ id: 'job-1', status: 'Running', statusCode: 'Running' });
  t.same(await launcher.texts(), [
    '{"messageType":3,"requestId":0,"responseId":3,"sequences":[{"requestId":15,"seqId":2},{"requestId":19,"seqId":2}],"id":"job-1","name":"a","status":"Running","statusCode":"Running"}',
  ]);
  await launcher.end();
});

t.test('[output-frames] [output-complete] output as it comes, then one message that it is complete', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('hello\n');
  launcher.send({ messageType: 6, requestId: 4, ...on('job-1'), outputType: 0, cancel: false });
  t.same(await launcher.texts(), [
    '{"messageType":5,"requestId":4,"responseId":1,"seqId":1,"complete":false,"output":"hello\\n","outputType":"stdout"}',
  ]);
  launcher.jobs.outputOf('job-1').end();
  t.same(await launcher.texts(), ['{"messageType":5,"requestId":4,"responseId":2,"seqId":2,"complete":true}']);
  t.equal(launcher.jobs.reading(), 0);
  await launcher.end();
});

t.test('[cluster-info] everything that a launcher may be told', async (t) => {
  const jobs = createFakeJobs();
  jobs.on.clusterInfo = async () => ({
    allowUnknownImages: false,
    images: ['r:devel', 'r:4.4'],
    defaultImage: 'r:4.4',
    config: [
      { name: 'secret', valueType: 'string', value: '' },
      { name: 'serviceAccountName', valueType: 'enum', value: 'default,sa1' },
    ],
    resourceLimits: [{ type: 'cpuCount', defaultValue: '1', maxValue: '4' }, { type: 'CPU Request' }],
    placementConstraints: [
      { name: 'zone', value: 'a' },
      { name: 'host', value: '' },
    ],
    resourceProfiles: [
      {
        name: 'small',
        displayName: 'Small',
        limits: [{ type: 'cpuCount', value: '1' }],
        placementConstraints: [],
      },
    ],
  });
  const launcher = await startLauncher({ jobs });
  launcher.send({ messageType: 9, requestId: 1, ...alice });
  t.same(await launcher.texts(), [
    '{"messageType":8,"requestId":1,"responseId":1,"supportsContainers":true,"defaultImage":"r:4.4","allowUnknownImages":false,"images":["r:4.4","r:devel"],"config":[{"name":"secret","valueType":"string"},{"name":"serviceAccountName","valueType":"enum","value":"default,sa1"}],"resourceLimits":[{"type":"cpuCount","defaultValue":"1","maxValue":"4"},{"type":"CPU Request"}],"placementConstraints":[{"name":"zone","value":"a"},{"name":"host"}],"resourceProfiles":[{"name":"small","displayName":"Small","limits":[{"type":"cpuCount","value":"1"}]}],"supportsInitContainers":true,"containersUseHostNetwork":false}',
  ]);
  await launcher.end();
});

t.test('[response-ids] one counter for all; Error and Heartbeat carry 0 and take no number', async (t) => {
  const launcher = await startLauncher();
  launcher.send({ messageType: 3, requestId: 1, ...on('*') }, { messageType: 3, requestId: 2, ...on('job-9') });
  launcher.send(
    { messageType: 0, requestId: 0 },
    { messageType: 99, requestId: 3 },
    { messageType: 3, requestId: 4, ...on('*') },
  );
  const ids = (await launcher.received()).map(
    ({ messageType, requestId, responseId }) => `${messageType} ${requestId} ${responseId}`,
  );
  t.strictSame(ids.sort(), ['-1 2 0', '-1 3 0', '0 0 0', '2 1 1', '2 4 2']);
  await launcher.end();
});

t.test('[bootstrap-again] a repeated Bootstrap is served like any other', async (t) => {
  const launcher = await startLauncher({ version: '3.10.0' });
  t.match(await launcher.ask({ messageType: 1, requestId: 7, version: { major: 3, minor: 2, patch: 9 } }), [
    { messageType: 1, requestId: 7, responseId: 1 },
  ]);
  await launcher.end();
});

t.test(
  '[get-empty-filters] empty lists are no filter; [get-one-filters] with an id filters do not count, but are checked',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    const [all] = await launcher.ask({ messageType: 3, requestId: 1, ...on('*'), tags: [], statuses: [], fields: [] });
    t.match(all, { jobs: [{ id: 'job-1', name: 'job-1', status: 'Running' }] });
    t.match(
      await launcher.ask({ messageType: 3, requestId: 2, ...on('job-1'), tags: ['none'], statuses: ['Killed'] }),
      [{ messageType: 2, jobs: [{ id: 'job-1' }] }],
    );
    t.match(await launcher.ask({ messageType: 3, requestId: 3, ...on('job-1'), statuses: ['Dead'] }), [
      { messageType: -1, errorCode: 2 },
    ]);
    await launcher.end();
  },
);

t.test('[error-codes] what the domain refuses gets its number; what should not occur is Error 0', async (t) => {
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

t.test(
  '[control-operations] 0 suspend, 1 resume, 2 stop, 3 kill, 4 cancel; tried and failed is no Error',
  async (t) => {
    const jobs = createFakeJobs();
    jobs.on.control = async () => ({ complete: false, message: 'the node does not answer' });
    const launcher = await startLauncher({ jobs });
    jobs.put({ id: 'job-1', status: 'Running' });
    for (const operation of [0, 1, 2, 3, 4]) {
      t.match(await launcher.ask({ messageType: 5, requestId: operation + 1, ...on('job-1'), operation }), [
        { messageType: 4, statusMessage: 'the node does not answer', operationComplete: false },
      ]);
    }
    t.strictSame(
      jobs.calls,
      ['suspend', 'resume', 'stop', 'kill', 'cancel'].map((name) => `control job-1 alice ${name}`),
    );
    await launcher.end();
  },
);

/** Each request has one answer, in the very words of the protocol, or an Error with its number. */
import t from 'tap';
import { JobError } from '../../src/jobs/job-error.ts';
import { filterJobs } from '../../src/launcher/filter.ts';
import { aJob, createFakeJobs, SUBMITTED_AT } from './fake-jobs.ts';
import { on, startLauncher } from './harness.ts';

const alice = { username: 'alice', requestUsername: 'alice' };

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

t.test('[get-filters] tags, times and states combine; empty lists are no filter', (t) => {
  const jobs = [
    aJob({ id: 'c', tags: ['x', 'y'], status: 'Running', submissionTime: SUBMITTED_AT + 1000 }),
    aJob({ id: 'a', tags: ['x'], status: 'Finished' }),
    aJob({ id: 'b', tags: ['X'], status: 'Running', submissionTime: SUBMITTED_AT + 2000 }),
  ];
  const ids = (filter: Partial<Parameters<typeof filterJobs>[1]>): string =>
    filterJobs(jobs, { tags: [], statuses: [], ...filter })
      .map((job) => job.id)
      .join('');
  t.equal(ids({}), 'abc');
  t.equal(ids({ tags: ['x'] }), 'ac');
  t.equal(ids({ tags: ['x', 'y'] }), 'c');
  t.equal(ids({ tags: ['x', 'z'] }), '');
  t.equal(ids({ statuses: ['Running', 'Killed'] }), 'bc');
  t.equal(ids({ statuses: [''] }), '', 'no job is in the unknown state');
  t.equal(ids({ startTime: SUBMITTED_AT + 1000 }), 'bc', 'inclusive');
  t.equal(ids({ endTime: SUBMITTED_AT + 1000 }), 'ac', 'inclusive');
  t.equal(ids({ startTime: SUBMITTED_AT + 0.001 }), 'bc', 'microseconds count');
  t.equal(ids({ tags: ['x'], statuses: ['Running'], startTime: SUBMITTED_AT, endTime: SUBMITTED_AT + 1500 }), 'c');
  t.end();
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

t.test('[network-answer] host and addresses', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.send({ messageType: 8, requestId: 16, ...on('job-1') });
  t.same(await launcher.texts(), [
    '{"messageType":7,"requestId":16,"responseId":1,"host":"node-1","ipAddresses":["10.0.0.7"]}',
  ]);
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

/** Each request has one answer, in the exact words of the protocol, or an Error with its number. */
import t from 'tap';
import { filterJobs, type InheritedSettings, jobFilter } from '../../src/launcher/answers.ts';
import { aJob, createFakeJobs, type FakeJobs, SUBMITTED_AT } from './fake-jobs.ts';
import { type Launcher, type Message, on, recordingLog, startLauncher } from './harness.ts';

const alice = { username: 'alice', requestUsername: 'alice' };

/** A name that JSON cannot hold. */
const UNWRITABLE = { toJSON: () => raise('no such text') } as unknown as string;

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

const brief = ({ requestId, id, errorCode, errorMessage, jobs }: Message) =>
  Object.fromEntries(
    Object.entries({ requestId, id, errorCode, errorMessage, jobs }).filter(([, value]) => value !== undefined),
  );

const NONE = { errorType: 0, errorMessage: '', applied: [], pendingRestart: [] } as const;

function raise(message: string): never {
  throw new TypeError(message);
}

t.test(
  '[submit-answer] [job-json-order] a submit is answered with the complete job, in the order of the protocol',
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

t.test(
  '[get-one] [get-all] [get-foreign] a job by id, all visible jobs, and Error 3 for jobs of other users',
  async (t) => {
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
  },
);

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
  const ids = (filter: Partial<Parameters<typeof jobFilter>[0]>): string =>
    filterJobs(jobs, jobFilter({ tags: [], statuses: [], ...filter }))
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

t.test('[get-filters] 90,000 tags of a request and 10,000 tags of each job are compared in linear time', (t) => {
  const tags = Array.from({ length: 10_000 }, (_, i) => `tag ${i}`);
  const jobs = Array.from({ length: 20 }, (_, i) => aJob({ id: `job-${i}`, tags }));
  const last = Array.from({ length: 90_000 }, () => 'tag 9999');
  const start = process.cpuUsage();
  t.equal(filterJobs(jobs, jobFilter({ tags: last, statuses: [] })).length, 20);
  t.equal(filterJobs(jobs, jobFilter({ tags: [...tags, 'other'], statuses: [] })).length, 0);
  const { user } = process.cpuUsage(start);
  t.ok(user < 5_000_000, `${user} us; each pair compared: more than 50 s`);
  t.end();
});

t.test('[control-answer] control is answered with its result', async (t) => {
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

t.test('[cluster-info] cluster info has all fields of the protocol', async (t) => {
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

t.test('[nodes] load-balancer nodes are answered with the base fields, whatever is in them', async (t) => {
  const launcher = await startLauncher();
  launcher.sendText(
    '{"messageType":201,"requestId":5,"nodes":[{"host":"a","ipv4":"10.0.0.1","port":"5559","lastSeen":"2026-01-02T03:04:05Z","status":"Online"}]}',
  );
  launcher.sendText('{"messageType":201,"requestId":6,"username":7,"nodes":[3,null,{"port":5559}]}');
  launcher.sendText('{"messageType":201,"requestId":7,"nodes":"none"}');
  t.strictSame(await launcher.texts(), [
    '{"messageType":201,"requestId":5,"responseId":1}',
    '{"messageType":201,"requestId":6,"responseId":2}',
    '{"messageType":201,"requestId":7,"responseId":3}',
  ]);
  await launcher.end();
});

t.test('[reload] pushed settings reach the reload; its result is answered with the generation', async (t) => {
  const pushed: [InheritedSettings, number][] = [];
  const launcher = await startLauncher({
    reload: async (settings, generation) => {
      pushed.push([settings, generation]);
      return { errorType: 0, errorMessage: '', applied: ['job-expiry-hours'], pendingRestart: ['server-user'] };
    },
  });
  launcher.sendText(
    '{"messageType":202,"requestId":5,"generation":4,"inheritedSettings":{"serverUser":"rstudio","enableDebugLogging":true,"scratchPath":"/s","loggingDir":"/l","heartbeatIntervalSeconds":5,"jobExpiryHours":0.5,"pluginMetricsIntervalSeconds":60,"includePluginMetricsIntervalSeconds":true,"more":1}}',
  );
  launcher.sendText(
    '{"messageType":202,"requestId":6,"inheritedSettings":{"pluginMetricsIntervalSeconds":0,"includePluginMetricsIntervalSeconds":false}}',
  );
  launcher.sendText('{"messageType":202,"requestId":7,"username":"u","inheritedSettings":null}');
  t.strictSame(await launcher.texts(), [
    '{"messageType":202,"requestId":5,"responseId":1,"errorType":0,"errorMessage":"","applied":["job-expiry-hours"],"pendingRestart":["server-user"],"generation":4}',
    '{"messageType":202,"requestId":6,"responseId":2,"errorType":0,"errorMessage":"","applied":["job-expiry-hours"],"pendingRestart":["server-user"],"generation":0}',
    '{"messageType":202,"requestId":7,"responseId":3,"errorType":0,"errorMessage":"","applied":["job-expiry-hours"],"pendingRestart":["server-user"],"generation":0}',
  ]);
  t.strictSame(pushed, [
    [
      {
        serverUser: 'rstudio',
        enableDebugLogging: true,
        scratchPath: '/s',
        loggingDir: '/l',
        heartbeatIntervalSeconds: 5,
        jobExpiryHours: 0.5,
        pluginMetricsIntervalSeconds: 60,
      },
      4,
    ],
    [{}, 0],
    [{}, 0],
  ]);
  await launcher.end();
});

t.test(
  '[reload-errors] wrong settings are errorType 2 with the generation, and nothing is applied; reloads do not overlap',
  async (t) => {
    let running = 0;
    let most = 0;
    const launcher = await startLauncher({
      reload: async (_, generation) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return generation === 2 ? { ...NONE, errorType: 1, errorMessage: 'profiles: cannot be read' } : NONE;
      },
    });
    launcher.sendText('{"messageType":202,"requestId":1,"generation":9,"inheritedSettings":{"jobExpiryHours":"1"}}');
    t.strictSame(await launcher.texts(), [
      '{"messageType":202,"requestId":1,"responseId":1,"errorType":2,"errorMessage":"inheritedSettings.jobExpiryHours is text; it must be a number","applied":[],"pendingRestart":[],"generation":9}',
    ]);
    for (const generation of [1, 2, 3]) launcher.send({ messageType: 202, requestId: generation, generation });
    t.match(await launcher.received(), [
      { requestId: 1, errorType: 0, generation: 1 },
      { requestId: 2, errorType: 1, errorMessage: 'profiles: cannot be read', generation: 2 },
      { requestId: 3, errorType: 0, generation: 3 },
    ]);
    t.equal(most, 1);
    await launcher.end();
  },
);

t.test('[negotiate-images] a launcher of 3.0 gets an empty list of images', async (t) => {
  const info = async (version: string): Promise<unknown> => {
    const launcher = await startLauncher({ version });
    const [message] = await launcher.ask({ messageType: 9, requestId: 1, username: '*' });
    await launcher.end();
    return message?.['images'];
  };
  t.strictSame(await info('3.0.0'), []);
  t.strictSame(await info('3.1.0'), undefined);
});

t.test('[system-job] systemJob counts only when an administrator asks', async (t) => {
  const jobs = createFakeJobs();
  const launcher = await startLauncher({ jobs });
  const job = { name: 'a', command: 'b', user: 'alice', systemJob: true };
  const [own] = await launcher.ask({ messageType: 2, requestId: 1, username: 'alice', job });
  const [admins] = await launcher.ask({ messageType: 2, requestId: 2, username: '*', job });
  t.strictSame(
    jobs.submitted.map(({ request }) => request.systemJob),
    [false, true],
  );
  t.notMatch(own, { jobs: [{ systemJob: true }] });
  t.match(admins, { jobs: [{ systemJob: true }] });
  await launcher.end();
});

t.test('a job that cannot be encoded is skipped in a list; requested by id, it is an Error', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1' });
  jobs.put({ id: 'job-2', name: UNWRITABLE });
  const { launcher, lines } = await session(jobs);
  t.strictSame((await launcher.ask(list(5))).map(brief), [{ requestId: 5, jobs: [{ name: 'job-1', id: 'job-1' }] }]);
  t.strictSame(lines, ['ERROR BUG: job cannot be encoded; skipping it in the list']);
  t.strictSame((await launcher.ask(list(6, 'job-2'))).map(brief), [
    { requestId: 6, errorCode: 0, errorMessage: 'no such text' },
  ]);
  await launcher.end();
});

t.test('an answer that cannot be encoded is Error 0 instead', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1', status: 'Running' });
  jobs.on.network = async () => ({ host: UNWRITABLE, ipAddresses: [] });
  const { launcher, lines } = await session(jobs);
  t.strictSame((await launcher.ask({ messageType: 8, requestId: 8, ...on('job-1') })).map(brief), [
    {
      requestId: 8,
      errorCode: 0,
      errorMessage: 'no such text',
    },
  ]);
  t.strictSame(lines, ['ERROR BUG: request failed with an unexpected error; answering with Error 0']);
  await launcher.end();
});

/** A job is written as it came: its fields, their order and both shapes of mounts. */
import t from 'tap';
import { jobWriter, submittedJob } from '../../src/jobs/job.ts';
import { parseRequest } from '../../src/launcher/requests.ts';
import { aJob } from '../launcher/fake-jobs.ts';

/** Everything a job can have, as it comes and as it is written. */
const WHOLE_JOB =
  '{"args":["-c","x"],"cluster":"Kube","command":"","config":[{"name":"pool","valueType":"string","value":"a"},{"name":"bare"}],"container":{"image":"r:4.4","runAsUserId":0,"runAsGroupId":1001,"supplementalGroupIds":[27,100],"capabilitiesAdd":["NET_ADMIN"],"capabilitiesDrop":["ALL"]},"environment":[{"name":"A","value":""}],"exe":"/bin/prog","exposedPorts":[{"targetPort":8787,"publishedPort":31000,"protocol":"TCP"},{"targetPort":1,"protocol":"UDP"}],"exitCode":0,"group":"staff","host":"node-3","id":"job-17","initContainers":[{"name":"i","image":"b","command":"echo","args":["1"],"mounts":[{"mountPath":"/i","readOnly":false,"mountSource":{"type":"host","source":{"path":"/x"}}}],"environment":[{"name":"B","value":"2"}]},{"name":"j","image":"b","exe":"/j"}],"instanceId":"lb-1","lastUpdateTime":"2026-01-02T03:04:05.123000Z","metadata":{"pod":{"labels":{"__proto__":"x"}}},"mounts":[{"mountPath":"/data","readOnly":true,"type":"nfs","source":{"host":"nfs1","path":"/exp","extra":[1]}},{"mountPath":"/m","name":"vol","readOnly":false,"mountSource":{"type":"my-own","source":{"a":null}}}],"name":"My job","pid":77,"placementConstraints":[{"name":"zone","value":"b"},{"name":"free"}],"queues":["q1","q2"],"resourceLimits":[{"type":"memory","value":"512"},{"type":"cpuCount"}],"resourceProfile":"small","stdin":"","stderrFile":"/home/u/e","stdoutFile":"/home/u/o","status":"Finished","statusCode":"Completed","statusMessage":"done","submissionTime":"2026-01-02T03:00:00Z","systemJob":true,"tags":["t1","t2"],"user":"u","workingDirectory":"/home/u"}';

t.test(
  '[job-json-round] [mount-shapes] a job is written back as it came: order, fields, both shapes of mounts',
  (t) => {
    const incoming = WHOLE_JOB.replace('["q1","q2"]', '["q2","q1","q2"]')
      .replace('["t1","t2"]', '["t2","t1","t1"]')
      .replace('"stdin":""', '"stdin":"secret"');
    const parsed = parseRequest(Buffer.from(`{"messageType":2,"requestId":1,"username":"u","job":${incoming}}`));
    if (parsed.outcome !== 'request' || parsed.request.kind !== 'submit') throw new Error(JSON.stringify(parsed));
    const job = {
      ...parsed.request.job,
      id: 'job-17',
      exitCode: 0,
      status: 'Finished' as const,
      statusCode: 'Completed',
      statusMessage: 'done',
      submissionTime: 1767322800000,
      lastUpdateTime: 1767323045123,
    };
    t.equal(JSON.stringify(jobWriter(10, [])(job)), WHOLE_JOB);
    t.end();
  },
);

t.test('[negotiate-mounts] a launcher of 3.0 gets type and source beside mountPath', (t) => {
  const mounts = [
    {
      mountPath: '/m',
      name: 'vol',
      readOnly: false,
      shape: 'mountSource' as const,
      type: 'host',
      source: { path: '/x' },
    },
  ];
  const job = aJob({ id: 'x', mounts });
  t.equal(
    JSON.stringify(jobWriter(0, ['mounts'])(job)),
    '{"id":"x","mounts":[{"mountPath":"/m","name":"vol","readOnly":false,"type":"host","source":{"path":"/x"}}]}',
  );
  t.equal(
    JSON.stringify(jobWriter(7, ['mounts'])(job)),
    '{"id":"x","mounts":[{"mountPath":"/m","name":"vol","readOnly":false,"mountSource":{"type":"host","source":{"path":"/x"}}}]}',
  );
  t.end();
});

const repeat = (count: number, item: unknown): readonly unknown[] => Array.from({ length: count }, () => item);
const HOST = { mountPath: '/m', type: 'host', source: { path: '/p' } };
const VARIABLE = { name: 'A', value: '' };

const LIMITS: readonly (readonly [field: string, max: number, item: unknown])[] = [
  ['environment', 10_000, VARIABLE],
  ['config', 1_000, { name: 'secret', value: 'a:b' }],
  ['exposedPorts', 1_000, { targetPort: 80 }],
  ['initContainers', 100, { name: 'i', image: 'b' }],
  ['mounts', 1_000, HOST],
  ['placementConstraints', 1_000, { name: 'a', value: 'b' }],
  ['resourceLimits', 100, { type: 'a', value: '1' }],
  ['tags', 10_000, 'a'],
  ['queues', 10_000, 'a'],
];

for (const [field, max, item] of LIMITS) {
  t.test(`a job has at most ${max} ${field}`, async (t) => {
    const job = (count: number) => ({ name: 'n', command: 'true', [field]: repeat(count, item) });
    t.doesNotThrow(() => submittedJob.read(job(max)));
    t.throws(() => submittedJob.read(job(max + 1)), {
      message: `${field} is a list of ${max + 1}; it must be a list of at most ${max}`,
    });
  });
}

t.test('a job has at most 1000 mounts in all of its containers', async (t) => {
  const job = (count: number) => ({
    name: 'n',
    command: 'true',
    mounts: repeat(500, HOST),
    initContainers: [{ name: 'i', image: 'b', mounts: repeat(count, HOST) }],
  });
  t.doesNotThrow(() => submittedJob.read(job(500)));
  t.throws(() => submittedJob.read(job(501)), {
    message: 'mounts and the mounts of initContainers are 1001; at most 1000 are possible',
  });
});

t.test('lists of a container are limited', async (t) => {
  const job = (container: object) => ({ name: 'n', container: { image: 'b', ...container } });
  t.throws(() => submittedJob.read(job({ supplementalGroupIds: repeat(1_001, 1) })), {
    message: 'container.supplementalGroupIds is a list of 1001; it must be a list of at most 1000',
  });
  t.throws(() => submittedJob.read(job({ capabilitiesAdd: repeat(101, 'A') })), {
    message: 'container.capabilitiesAdd is a list of 101; it must be a list of at most 100',
  });
});

t.test('the items of a list that is too long are not read', async (t) => {
  t.throws(() => submittedJob.read({ name: 'n', command: 'true', mounts: repeat(16_000, 'not an object') }), {
    message: 'mounts is a list of 16000; it must be a list of at most 1000',
  });
});

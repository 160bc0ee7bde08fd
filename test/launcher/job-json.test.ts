/** A job and its dates are written as they came: members, order and both shapes of mounts. */
import fc from 'fast-check';
import t from 'tap';
import { formatDate, parseDate } from '../../src/launcher/dates.ts';
import { jobWriter } from '../../src/launcher/job-json.ts';
import { parseRequest } from '../../src/launcher/requests.ts';
import { aJob } from './fake-jobs.ts';

/** Everything a job can have, as it comes and as it is written. */
const WHOLE_JOB =
  '{"args":["-c","x"],"cluster":"Kube","command":"","config":[{"name":"pool","valueType":"string","value":"a"},{"name":"bare"}],"container":{"image":"r:4.4","runAsUserId":0,"runAsGroupId":1001,"supplementalGroupIds":[27,100],"capabilitiesAdd":["NET_ADMIN"],"capabilitiesDrop":["ALL"]},"environment":[{"name":"A","value":""}],"exe":"/bin/prog","exposedPorts":[{"targetPort":8787,"publishedPort":31000,"protocol":"TCP"},{"targetPort":1,"protocol":"UDP"}],"exitCode":0,"group":"staff","host":"node-3","id":"job-17","initContainers":[{"name":"i","image":"b","command":"echo","args":["1"],"mounts":[{"mountPath":"/i","readOnly":false,"mountSource":{"type":"host","source":{"path":"/x"}}}],"environment":[{"name":"B","value":"2"}]},{"name":"j","image":"b","exe":"/j"}],"instanceId":"lb-1","lastUpdateTime":"2026-01-02T03:04:05.123000Z","metadata":{"pod":{"labels":{"__proto__":"x"}}},"mounts":[{"mountPath":"/data","readOnly":true,"type":"nfs","source":{"host":"nfs1","path":"/exp","extra":[1]}},{"mountPath":"/m","name":"vol","readOnly":false,"mountSource":{"type":"my-own","source":{"a":null}}}],"name":"My job","pid":77,"placementConstraints":[{"name":"zone","value":"b"},{"name":"free"}],"queues":["q1","q2"],"resourceLimits":[{"type":"memory","value":"512"},{"type":"cpuCount"}],"resourceProfile":"small","stdin":"","stderrFile":"/home/u/e","stdoutFile":"/home/u/o","status":"Finished","statusCode":"Completed","statusMessage":"done","submissionTime":"2026-01-02T03:00:00Z","systemJob":true,"tags":["t1","t2"],"user":"u","workingDirectory":"/home/u"}';

t.test(
  '[job-json-round] [mount-shapes] a job is written back as it came: order, members, both shapes of mounts',
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

t.test('[dates] written with none or six digits, read leniently', (t) => {
  t.equal(formatDate(1767323045000), '2026-01-02T03:04:05Z');
  t.equal(formatDate(1767323045500), '2026-01-02T03:04:05.500000Z');
  const read: [string, number][] = [
    ['2026-01-02T03:04:05Z', 1767323045000],
    ['2026-01-02 03:04:05', 1767323045000],
    ['2026-01-02T03:04', 1767323040000],
    ['2026-01-02', 1767312000000],
    ['2026-01-02T03:04:05.5Z', 1767323045500],
    ['2026-01-02T03:04:05.123456789Z', 1767323045123.456],
    ['2026-01-02T05:04:05+02:00', 1767323045000],
    ['2026-01-01T22:34:05-04:30', 1767323045000],
    ['2026-01-02T03:04:05Z and more', 1767323045000],
    ['2024-02-29', 1709164800000],
  ];
  for (const [text, ms] of read) t.equal(parseDate(text), ms, text);
  for (const text of [
    '',
    'x',
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-01-02T24:00',
    '2026-01-02T03:60',
    '2026-01-02T03:04:60',
    '2026-01-02T03:04:05+0200',
    '2026-01-02T03:04:05.123+0200',
    '20260102T030405Z',
    '2026-01-02garbage',
    '2026-1-2',
    ' 2026-01-02',
  ]) {
    t.equal(parseDate(text), undefined, text);
  }
  fc.assert(
    fc.property(
      fc.date({ min: new Date('1970-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }),
      (date) => parseDate(formatDate(date.getTime())) === date.getTime(),
    ),
  );
  t.end();
});

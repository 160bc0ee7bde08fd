/** The data of templates: every field of a job, as templates of sites read them. */
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import type { ResolvedJob } from '../../../src/jobs/objects/resolved.ts';
import { refusedBy, rendered } from './templating.ts';

/** What an expression renders for a request. */
function value(expression: string, request: Partial<JobRequest> = {}, policy: Partial<ResolvedJob> = {}): unknown {
  const template = `apiVersion: batch/v1
kind: Job
metadata: {annotations: {result: {{ toJson (${expression}) | toJson }}}}
spec: {template: {spec: {containers: [{name: rs-launcher-container, image: i, volumeMounts: {{ toJson .Job.volumeMounts }}}], volumes: {{ toJson .Job.volumes }}}}}
`;
  return JSON.parse(rendered(template, request, policy).job.metadata?.annotations?.['result'] ?? '');
}

t.test('a job that says nothing has empty lists and strings, and no optional field', async (t) => {
  t.strictSame(value('.Job'), {
    id: 'report-a1b2c3d4e5',
    serviceName: 'report-a1b2c3d4e5',
    generateName: 'report-a1b2c3d4e5-',
    name: 'report',
    user: 'alice',
    group: '',
    tags: [],
    queues: [],
    host: '',
    cluster: '',
    resourceProfile: '',
    stdoutFile: '',
    stderrFile: '',
    instanceId: '',
    systemJob: false,
    workingDirectory: '',
    command: 'true',
    exe: '',
    args: [],
    environment: [],
    stdin: '',
    config: [],
    container: { image: 'busybox' },
    resourceLimits: [],
    cpuRequestRatio: 1,
    memoryRequestRatio: 1,
    placementConstraints: [],
    exposedPorts: [],
    servicePortsJson: '[]',
    volumes: [],
    volumeMounts: [],
    initContainers: [],
    serviceAccountName: '',
    shareProcessNamespace: true,
  });
});

t.test('amounts are those after the policy, as decimals', async (t) => {
  const policy = {
    limits: { cpuMillis: 1500, memoryMb: 512 },
    requests: { cpuMillis: 750, memoryMb: 512 },
    nvidiaGpus: 2,
  };
  t.strictSame(value('.Job.resourceLimits', {}, policy), [
    { type: 'cpuCount', value: '1.5' },
    { type: 'CPU Request', value: '0.75' },
    { type: 'memory', value: '512' },
    { type: 'Memory Request', value: '512' },
    { type: 'NVIDIA GPUs', value: '2' },
  ]);
  t.strictSame(value('list .Job.cpuRequestRatio .Job.memoryRequestRatio', {}, policy), [0.5, 1]);
});

t.test('ratios are float64 always: templates compare them with 1.0', async (t) => {
  t.equal(value('ne 1.0 .Job.cpuRequestRatio'), false);
  t.equal(value('printf "%T" .Job.memoryRequestRatio'), 'float64');
});

t.test('whole numbers are ints', async (t) => {
  t.equal(
    value('printf "%v" .Job.container.runAsUserId', { container: { image: 'i', runAsUserId: 1_234_567 } }),
    '1234567',
  );
});

t.test('dollars are doubled where Kubernetes would expand them', async (t) => {
  const request = { command: '', exe: '/bin/$x', args: ['$(A)'], environment: [{ name: 'A', value: '$' }] };
  t.strictSame(value('list .Job.exe .Job.args (index .Job.environment 0).value', request), [
    '/bin/$$x',
    ['$$(A)'],
    '$$',
  ]);
});

t.test('a name is one line of at most 70 characters', async (t) => {
  t.equal(value('.Job.name', { name: `a\r\nb\u2028${'c'.repeat(100)}` }), `a  b ${'c'.repeat(65)}`);
});

t.test('ports, also as JSON without spaces', async (t) => {
  const exposedPorts = [
    { targetPort: 8787, protocol: 'TCP' },
    { targetPort: 1, protocol: 'UDP' },
  ];
  t.equal(
    value('.Job.servicePortsJson', { exposedPorts }),
    '[{"targetPort":8787,"protocol":"TCP"},{"targetPort":1,"protocol":"UDP"}]',
  );
});

t.test('init containers have their mounts as volume mounts', async (t) => {
  const mount = {
    mountPath: '/m',
    readOnly: true,
    type: 'nfs',
    source: { host: 'h', path: '/p' },
    shape: 'flat' as const,
  };
  const init = { name: 'i', image: 'b', command: 'x', exe: '', args: [], mounts: [mount], environment: [] };
  t.strictSame(value('.Job.initContainers', { initContainers: [init] }), [
    {
      name: 'i',
      image: 'b',
      command: 'x',
      exe: '',
      args: [],
      environment: [],
      mounts: [{ name: 'mount0', mountPath: '/m', readOnly: true }],
    },
  ]);
});

t.test('metadata is as the job brought it, without null', async (t) => {
  const metadata = { pod: { labels: { a: 'b' }, none: null }, list: [1, null] };
  t.strictSame(value('.Job.metadata', { metadata }), { pod: { labels: { a: 'b' } }, list: [1] });
});

t.test('a template that changes its data changes no other rendering', async (t) => {
  const request = { environment: [{ name: 'A', value: 'x: y' }] };
  t.equal(
    value('set .Job "name" (printf "%s!" .Job.name) | len | toString | printf "%s %s" .Job.name', request),
    'report! 34',
  );
});

const least = (text: string) => `apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {containers: [${text}]}}}\n`;

t.test('what is no Job with one container of the name is refused, naming what is missing', async (t) => {
  const said = (place: string, why: string): string => `The template ${place} cannot be used for this job: ${why}.`;
  t.equal(refusedBy('{{- /* nothing */ -}}'), said('job.tpl', 'it renders nothing'));
  t.equal(refusedBy('text'), said('job.tpl:1:0', 'it renders no object'));
  t.equal(
    refusedBy('kind: Pod\napiVersion: v1\n'),
    said('job.tpl', 'it does not render an object with apiVersion: batch/v1 and kind: Job'),
  );
  t.match(refusedBy(least('{name: main, image: i}')), /it renders 0 containers rs-launcher-container, not one\.$/);
  t.match(refusedBy(`${least('{name: rs-launcher-container, image: i}')}---\na: b\n`), /^The template job\.tpl:4:/);
  t.match(refusedBy('a: [1\n'), /^The template job\.tpl:\d:\d+ cannot be used for this job: /);
  t.match(
    refusedBy('apiVersion: batch/v1\nkind: Job\nmetadata: {labels: {site: yes}}\n'),
    /^The template job\.tpl:3:\d+ cannot be used for this job: metadata\.labels\.site is not a string; quote it\.$/,
  );
});

t.test('an error of a template names its place, never a value of the job', async (t) => {
  const sentence = refusedBy('{{ fail .Job.name }}', { name: 'SECRET' });
  t.equal(
    sentence,
    'The template job.tpl:1:3 cannot be used for this job: an error of kind function; the log has the message.',
  );
});

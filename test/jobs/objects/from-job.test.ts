/** A job is shown as it was submitted, from its Job object alone, also the jobs of other plugins. */
import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import t from 'tap';
import type { JobRequest, Mount } from '../../../src/jobs/job.ts';
import { recoverRequest } from '../../../src/jobs/objects/from-job.ts';
import { builtJob, CONTEXT, request, resolved } from '../requests.ts';

/** As the API server keeps it: through JSON. */
const stored = (job: Job): Job => JSON.parse(JSON.stringify(job));
const roundTrip = (asked: JobRequest): JobRequest => recoverRequest(stored(builtJob(resolved(asked), CONTEXT)));

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const word = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_$]{0,8}$/);
const texts = fc.array(text, { maxLength: 4 });
const dollars = fc.oneof(text, fc.stringMatching(/^[$()A a\n]{0,12}$/));
const variables = fc.array(fc.record({ name: word, value: dollars }), { maxLength: 3 });
const mount: fc.Arbitrary<Mount> = fc.record(
  {
    name: text,
    mountPath: fc.constant('/m'),
    readOnly: fc.boolean(),
    type: fc.constant('passthrough'),
    source: fc.record({ emptyDir: fc.constant({}), subPath: text }),
    shape: fc.constantFrom('flat', 'mountSource'),
  },
  { requiredKeys: ['mountPath', 'readOnly', 'type', 'source', 'shape'] },
);
const run = fc.oneof(
  fc.record({ command: dollars.filter((line) => line !== ''), exe: fc.constant(''), args: fc.array(dollars) }),
  fc.record({ command: fc.constant(''), exe: dollars.filter((path) => path !== ''), args: fc.array(dollars) }),
  fc.record({ command: fc.constant(''), exe: fc.constant('/bin/sh'), args: fc.constant(['-c', 'x']) }),
  fc.record({ command: fc.constant(''), exe: fc.constant(''), args: fc.array(dollars) }),
);
const initContainers = fc.uniqueArray(
  fc
    .tuple(
      run,
      fc.record({ name: word, image: word, mounts: fc.array(mount, { maxLength: 1 }), environment: variables }),
    )
    .map(([ran, rest]) => ({ ...rest, ...ran })),
  { maxLength: 2, selector: ({ name }) => name },
);
const container = fc.record(
  {
    image: word,
    runAsUserId: fc.nat(),
    runAsGroupId: fc.nat(),
    supplementalGroupIds: fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
    capabilitiesAdd: fc.array(word, { minLength: 1, maxLength: 2 }),
    capabilitiesDrop: fc.uniqueArray(word, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ['image'] },
);
const port = fc.record(
  {
    targetPort: fc.integer({ min: 1, max: 65_535 }),
    publishedPort: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom('TCP', 'UDP'),
  },
  { requiredKeys: ['targetPort', 'protocol'] },
);
const members = fc.record(
  {
    name: text,
    user: text,
    group: text,
    cluster: text,
    config: fc.array(fc.record({ name: fc.constantFrom('pool', 'x'), value: text, valueType: fc.constant('string') })),
    container,
    environment: variables,
    exposedPorts: fc.array(port, { maxLength: 2 }),
    host: text,
    initContainers,
    instanceId: text,
    metadata: fc.dictionary(word, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 2 }),
    mounts: fc.array(mount, { maxLength: 2 }),
    placementConstraints: fc.array(fc.record({ name: word, value: word }), { maxLength: 2 }),
    queues: texts,
    resourceLimits: fc.array(fc.record({ type: word, value: text }), { maxLength: 2 }),
    resourceProfile: text,
    stderrFile: text,
    stdoutFile: text,
    systemJob: fc.boolean(),
    tags: fc.array(text, { maxLength: 12 }),
    workingDirectory: text,
    pid: fc.nat(),
    stdin: text,
  } satisfies Readonly<Record<Exclude<keyof JobRequest, 'command' | 'exe' | 'args'>, unknown>>,
  { requiredKeys: ['container'] },
);

t.test('every field survives the way there and back, but stdin', async (t) => {
  fc.assert(
    fc.property(run, members, (ran, rest) => {
      const asked: JobRequest = JSON.parse(JSON.stringify(request({ ...rest, ...ran } as Partial<JobRequest>)));
      deepStrictEqual(roundTrip(asked), { ...asked, stdin: '' });
    }),
    { numRuns: 150 },
  );
  t.pass('150 jobs');
});

t.test('a job that names no container shows the image it runs', async (t) => {
  const { container: _, ...asked } = request({ command: 'true' });
  const job = builtJob({ ...resolved(), request: asked, image: 'default-image' }, CONTEXT);
  t.strictSame(recoverRequest(stored(job)).container, { image: 'default-image' });
});

t.test('an override that changed the command line: it is a command without arguments', async (t) => {
  const job = stored(builtJob(resolved({ command: 'run', args: ['it'] }), CONTEXT));
  const line = job.spec?.template.spec?.containers[0];
  if (line !== undefined) line.args = ['-c', 'wrapper'];
  const { command, args } = recoverRequest(job);
  t.strictSame({ command, args }, { command: 'wrapper', args: [] });
});

t.test('an account of the profile and a Secret of an override are not config of the job', async (t) => {
  const job = stored(builtJob(resolved({ config: [] }), CONTEXT));
  const spec = job.spec?.template.spec;
  if (spec === undefined) throw new Error('no pod template');
  spec.serviceAccountName = 'account-of-profile';
  const [container] = spec.containers;
  if (container === undefined) throw new Error('no container');
  container.env = [{ name: 'LICENSE', valueFrom: { secretKeyRef: { name: 'site', key: 'license' } } }];
  t.strictSame(recoverRequest(job).config, []);
});

t.test('a job of the first-party plugin', async (t) => {
  const job: Job = {
    metadata: { name: 'r-session-xyz', labels: { 'launcher-instance-id': 'wb' }, uid: 'u' },
    spec: {
      template: {
        metadata: {
          annotations: {
            name: 'R Session',
            user: 'jane',
            stdin: 'never shown',
            USER_TAG_10: 'last',
            USER_TAG_2: 'second',
            USER_TAG_1: 'first',
            USER_TAG_x: 'no number',
            service_ports: '[{"targetPort":8787,"protocol":"TCP"},{"publishedPort":1}]',
            user_metadata: '{"a":1}',
          },
        },
        spec: {
          restartPolicy: 'Never',
          nodeSelector: { region: 'us' },
          serviceAccountName: 'sa',
          securityContext: { runAsUser: 0, supplementalGroups: [5] },
          containers: [
            { name: 'istio-proxy', image: 'istio' },
            {
              name: 'rs-launcher-container',
              image: 'r:4',
              command: ['/bin/sh'],
              args: ['-c', 'echo $$HOME $(X)'],
              env: [
                { name: 'A', value: '$$b' },
                { name: 'P', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
              ],
              resources: {
                limits: { cpu: '1500m', memory: '512Mi', 'nvidia.com/gpu': '1' },
                requests: { memory: '256M' },
              },
              volumeMounts: [
                { name: 'home', mountPath: '/home', readOnly: true, subPath: 'jane' },
                { name: 'unknown', mountPath: '/x' },
                { name: 'share', mountPath: '/share' },
              ],
              workingDir: '/home',
            },
          ],
          initContainers: [{ name: 'i', image: 'busybox', command: ['/bin/init', 'a'] }],
          volumes: [
            { name: 'home', persistentVolumeClaim: { claimName: 'home' } },
            { name: 'share', nfs: { server: 'n', path: '/p' } },
          ],
        },
      },
    },
  };
  t.strictSame(recoverRequest(job), {
    name: 'R Session',
    user: 'jane',
    group: '',
    cluster: '',
    command: 'echo $$HOME $(X)',
    exe: '',
    args: [],
    config: [],
    container: { image: 'r:4', runAsUserId: 0, supplementalGroupIds: [5] },
    environment: [{ name: 'A', value: '$$b' }],
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
    host: '',
    initContainers: [
      { name: 'i', image: 'busybox', command: '', exe: '/bin/init', args: ['a'], mounts: [], environment: [] },
    ],
    instanceId: 'wb',
    metadata: { a: 1 },
    mounts: [
      {
        name: 'home',
        mountPath: '/home',
        readOnly: true,
        type: 'passthrough',
        source: { persistentVolumeClaim: { claimName: 'home' }, subPath: 'jane' },
        shape: 'mountSource',
      },
      {
        name: 'share',
        mountPath: '/share',
        readOnly: false,
        type: 'nfs',
        source: { host: 'n', path: '/p' },
        shape: 'mountSource',
      },
    ],
    placementConstraints: [{ name: 'region', value: 'us' }],
    queues: [],
    resourceLimits: [
      { type: 'cpuCount', value: '1.5' },
      { type: 'memory', value: '536.870912' },
      { type: 'Memory Request', value: '256' },
      { type: 'NVIDIA GPUs', value: '1' },
    ],
    resourceProfile: '',
    stdin: '',
    stderrFile: '',
    stdoutFile: '',
    systemJob: false,
    tags: ['first', 'second', 'last'],
    workingDirectory: '/home',
  });
  const recorded: Job = JSON.parse(
    readFileSync(new URL('../../../fixtures/recordings/01-success/watch-jobs.jsonl', import.meta.url), 'utf8').split(
      '\n',
    )[0] ?? '',
  ).event.object;
  const { name, user, exe, args, tags } = recoverRequest(recorded);
  t.strictSame(
    { name, user, exe, args, tags },
    {
      name: 'my job',
      user: 'alice',
      exe: '/bin/sh',
      args: ['-c', 'echo out1; echo err1 >&2; sleep 2; echo out2'],
      tags: ['team=blue'],
    },
  );
});

t.test('annotations that are no JSON, and a Job that is hardly one', async (t) => {
  const job: Job = {
    metadata: { name: 'x', annotations: { 'job-launcher/job': 'oops' } },
    spec: { template: { metadata: { annotations: { service_ports: '{', user_metadata: '[1]' } } } },
  };
  const { name, user, exposedPorts, metadata, container: none } = recoverRequest(job);
  t.strictSame(
    { name, user, exposedPorts, metadata, none },
    { name: 'x', user: '', exposedPorts: [], metadata: undefined, none: undefined },
  );
  t.equal(recoverRequest({}).name, '');
});

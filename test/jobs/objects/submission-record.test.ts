/** A submission record that people, tools or another version of the plugin have written. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import t from 'tap';
import type { Job as LauncherJob } from '../../../src/jobs/job.ts';
import { JOB, jobWriter } from '../../../src/jobs/job.ts';
import { needsService } from '../../../src/jobs/objects/service.ts';
import { projectJob } from '../../../src/jobs/view/projection.ts';
import { jobOf } from '../../../src/jobs/view/record.ts';
import { Repository } from '../../../src/jobs/view/repository.ts';
import { persistedFields } from '../../../src/system/schema.ts';

const jobWith = (record: unknown, annotations: Readonly<Record<string, string>> = {}): Job => ({
  metadata: {
    name: 'job-1',
    uid: 'u-1',
    resourceVersion: '1',
    creationTimestamp: '2026-01-02T03:04:05Z',
    annotations: { 'job-launcher/job': typeof record === 'string' ? record : JSON.stringify(record) },
  },
  spec: {
    template: {
      metadata: { annotations: { name: 'Report', user: 'jane', USER_TAG_0: 'blue', ...annotations } },
      spec: {
        containers: [
          {
            name: 'rs-launcher-container',
            image: 'busybox',
            command: ['/bin/sh'],
            args: ['-c', 'echo $$HOME a b'],
            env: [{ name: 'PRICE', value: '5$$' }],
          },
        ],
        initContainers: [
          { name: 'first', image: 'busybox', command: ['/bin/sh'], args: ['-c', 'true x'] },
          { name: 'injected', image: 'istio' },
        ],
      },
    },
  },
  status: { ready: 1 },
});

/** The job as people see it, and the malformed fields of its record. */
function shown(job: Job): { readonly job: LauncherJob; readonly malformed: string | undefined } {
  const repository = new Repository();
  repository.open();
  const view = projectJob(job);
  repository.applyJob({ type: 'ADDED', object: view });
  const entry = repository.find('job-1', '*');
  needsService(entry.job.request);
  const shownJob = jobOf(entry);
  JSON.stringify(jobWriter(10, [])(shownJob));
  return { job: shownJob, malformed: view.malformedRecord };
}

const WRONG: readonly unknown[] = [
  'x',
  5,
  true,
  null,
  {},
  { a: 1 },
  [null],
  [1],
  [[]],
  [{}],
  [{ name: 1 }],
  '[object]',
];
/**
 * Every field of the record: those that the job table persists, and those that describe the command line; but not `variables`,
 * which selects the environment.
 */
const RECORD_FIELDS = [
  ...Object.keys(persistedFields(JOB)),
  ...['run', 'split', 'initContainers', 'command', 'exe', 'args', 'stdin'],
];

t.test('a field of another type: the job is shown with name, user, tags and state', async (t) => {
  for (const field of RECORD_FIELDS) {
    for (const value of WRONG) {
      const { job } = shown(jobWith({ run: 'command', [field]: value }));
      const { name, user, tags, status, environment } = job;
      t.strictSame(
        { name, user, tags, status, environment },
        {
          name: 'Report',
          user: 'jane',
          tags: ['blue'],
          status: 'Pending',
          environment: [{ name: 'PRICE', value: '5$' }],
        },
        `${field}: ${JSON.stringify(value)}`,
      );
    }
  }
});

t.test('a malformed item of a list is dropped alone, and the list is named', async (t) => {
  const port = { targetPort: 8787, protocol: 'TCP' };
  const host = { mountPath: '/m', readOnly: false, type: 'host', source: { path: '/p' }, shape: 'flat' };
  const { job, malformed } = shown(
    jobWith({
      run: 'command',
      split: [1, 1],
      config: [null, { name: 'pool', value: 'big', valueType: 'string' }, { name: 'x', value: 'y', valueType: 'date' }],
      exposedPorts: [port, { targetPort: '80', protocol: 'TCP' }, { ...port, publishedPort: null }],
      initContainers: [{ name: 'first', run: 'command', split: [1], mounts: [host, '/data'] }, { run: 'exe' }],
      mounts: ['/data', host, { ...host, source: 'p' }, { ...host, shape: 'round' }],
      placementConstraints: [{ name: 'region', value: 'us' }, { name: 7 }],
      queues: ['fast', 7],
      resourceLimits: [
        { type: 'memory', value: '10' },
        { type: 'memory', value: 10 },
      ],
      group: { a: 1 },
      host: 'node-1',
      pid: 7,
    }),
  );
  t.strictSame(
    {
      command: job.command,
      args: job.args,
      config: job.config,
      exposedPorts: job.exposedPorts,
      initContainers: job.initContainers,
      mounts: job.mounts,
      placementConstraints: job.placementConstraints,
      queues: job.queues,
      resourceLimits: job.resourceLimits,
      group: job.group,
      host: job.host,
      pid: job.pid,
    },
    {
      command: 'echo $HOME',
      args: ['a', 'b'],
      config: [{ name: 'pool', value: 'big', valueType: 'string' }],
      exposedPorts: [port],
      initContainers: [
        { name: 'first', image: 'busybox', command: 'true', exe: '', args: ['x'], mounts: [host], environment: [] },
      ],
      mounts: [host],
      placementConstraints: [{ name: 'region', value: 'us' }],
      queues: ['fast'],
      resourceLimits: [{ type: 'memory', value: '10' }],
      group: '',
      host: 'node-1',
      pid: 7,
    },
  );
  t.equal(
    malformed,
    'config, exposedPorts, group, mounts, placementConstraints, queues, resourceLimits, initContainers',
  );
});

t.test(
  'only an unreadable record is malformed in all parts; unknown fields and no record are not malformed',
  async (t) => {
    t.equal(shown(jobWith({ run: 'exe', queues: ['fast'], fromTheFuture: [null] })).malformed, undefined);
    const { metadata, ...rest } = jobWith('');
    t.equal(projectJob({ ...rest, metadata: { ...metadata, annotations: {} } }).malformedRecord, undefined);
    t.equal(shown(jobWith('oops')).malformed, 'all of it');
    t.equal(shown(jobWith('[]')).malformed, 'all of it');
  },
);

t.test('annotations nested deeper than 64 levels are ignored', async (t) => {
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  const within = shown(jobWith({ run: 'command' }, { user_metadata: deep(60) }));
  t.equal(JSON.stringify(within.job.metadata), deep(60));
  for (const levels of [70, 9_000]) {
    const { job } = shown(jobWith({ run: 'command' }, { user_metadata: deep(levels) }));
    t.strictSame([job.name, job.user, job.metadata], ['Report', 'jane', undefined], `${levels} levels`);
  }
  const source = `{"run":"command","mounts":[{"mountPath":"/m","readOnly":false,"type":"x","source":${deep(9_000)},"shape":"flat"}]}`;
  const { job, malformed } = shown(jobWith(source));
  t.strictSame([job.name, job.user, job.mounts, malformed], ['Report', 'jane', [], 'all of it']);
});

t.test('the record of a job of version 0.1.0 is restored', async (t) => {
  const written =
    '{"run":"command","split":[1,1],"group":"staff","cluster":"Kube","config":[{"name":"pool","value":"big","valueType":"string"}],"exposedPorts":[{"targetPort":8787,"protocol":"TCP"}],"host":"node-3","initContainers":[{"name":"first","run":"command","split":[1],"mounts":[{"mountPath":"/m","readOnly":false,"type":"nfs","source":{"host":"h","path":"/p"},"shape":"flat"}]}],"instanceId":"one two","mounts":[{"name":"d","mountPath":"/m","readOnly":true,"type":"host","source":{"path":"/p"},"shape":"mountSource"}],"placementConstraints":[{"name":"region","value":"us"}],"queues":["q"],"resourceLimits":[{"type":"cpuCount","value":"0.5"}],"resourceProfile":"small","stdin":true,"stderrFile":"/e","stdoutFile":"/o","systemJob":true,"pid":7}';
  const { job, malformed } = shown(jobWith(written));
  t.equal(malformed, undefined);
  const { id: _, status, statusCode, statusMessage, submissionTime, lastUpdateTime, ...request } = job;
  t.strictSame(request, {
    name: 'Report',
    user: 'jane',
    group: 'staff',
    cluster: 'Kube',
    command: 'echo $HOME',
    exe: '',
    args: ['a', 'b'],
    config: [{ name: 'pool', value: 'big', valueType: 'string' }],
    container: { image: 'busybox' },
    environment: [{ name: 'PRICE', value: '5$' }],
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
    host: 'node-3',
    initContainers: [
      {
        name: 'first',
        image: 'busybox',
        command: 'true',
        exe: '',
        args: ['x'],
        mounts: [{ mountPath: '/m', readOnly: false, type: 'nfs', source: { host: 'h', path: '/p' }, shape: 'flat' }],
        environment: [],
      },
    ],
    instanceId: 'one two',
    mounts: [
      { name: 'd', mountPath: '/m', readOnly: true, type: 'host', source: { path: '/p' }, shape: 'mountSource' },
    ],
    placementConstraints: [{ name: 'region', value: 'us' }],
    queues: ['q'],
    resourceLimits: [{ type: 'cpuCount', value: '0.5' }],
    resourceProfile: 'small',
    stdin: '',
    stderrFile: '/e',
    stdoutFile: '/o',
    systemJob: true,
    pid: 7,
    tags: ['blue'],
    workingDirectory: '',
  });
});

/** What cannot be made of a job is refused before anything is made; the sentence names the field, never a secret. */
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import { buildService } from '../../../src/jobs/objects/service.ts';
import { checkInput } from '../../../src/jobs/operations/input.ts';
import { builtJob, CONTEXT, resolved } from '../requests.ts';

const NO_SECRET = /^config secret must be secretName:key or secretName:key:ENV_NAME\.$/;

t.test('what cannot be made is refused, naming the field', async (t) => {
  const refused: readonly (readonly [string, Partial<JobRequest>, RegExp])[] = [
    ...[
      'user',
      'name',
      'stdin',
      'service_ports',
      'user_metadata',
      'USER_TAG_7',
      'job-launcher/control',
      'launcher-instance-id',
      'app.kubernetes.io/managed-by',
      'job-name',
      'controller-uid',
    ].flatMap((key): (readonly [string, Partial<JobRequest>, RegExp])[] => [
      [`label ${key}`, { metadata: { job: { labels: { [key]: 'x' } } } }, new RegExp(`metadata.job.labels.*${key}`)],
      [
        `annotation ${key}`,
        { metadata: { pod: { annotations: { [key]: 'x' } } } },
        new RegExp(`metadata.pod.annotations.*${key}`),
      ],
    ]),
    [
      'a label of the job controller',
      { metadata: { pod: { labels: { 'batch.kubernetes.io/job-name': 'x' } } } },
      /batch\.kubernetes\.io\/job-name/,
    ],
    ['a label that is no text', { metadata: { job: { labels: { a: 1 } } } }, /metadata\.job\.labels: the value of a/],
    ['a secret without a key', { config: [{ name: 'secret', value: 'hunter2' }] }, NO_SECRET],
    ['a secret of too many parts', { config: [{ name: 'secret', value: 'a:b:c:hunter2' }] }, NO_SECRET],
    [
      'a variable without a name',
      { environment: [{ name: '', value: 'hunter2' }] },
      /^environment\[0\]: "" is not the name of a variable\.$/,
    ],
    [
      'a variable that is written as in a shell',
      {
        environment: [
          { name: 'A', value: 'x' },
          { name: 'PASSWORD=hunter2\n=', value: '' },
        ],
      },
      /^environment\[1\]: "PASSWORD=\.\.\." is not the name of a variable\.$/,
    ],
    ['a variable that is too long', { environment: [{ name: 'A', value: 'x'.repeat(131_070) }] }, /A has 131072 bytes/],
    ['an argument that is too long', { exe: '/x', args: ['é'.repeat(65_536)] }, /131072 bytes.*131071/],
    ['a command that is too long', { command: 'x', args: ['y'.repeat(131_070)] }, /131072 bytes/],
    [
      'a port that is none',
      { exposedPorts: [{ targetPort: 0, protocol: 'TCP' }] },
      /^exposedPorts: targetPort 0 is not a port from 1 to 65535\.$/,
    ],
    [
      'a port that is too high',
      { exposedPorts: [{ targetPort: 70_000, protocol: 'TCP' }] },
      /^exposedPorts: targetPort 70000 is not a port from 1 to 65535\.$/,
    ],
    [
      'a port of the host that is none',
      { exposedPorts: [{ targetPort: 80, publishedPort: -1, protocol: 'TCP' }] },
      /^exposedPorts: publishedPort -1 is not a port from 1 to 65535\.$/,
    ],
    [
      'a protocol that is none',
      { exposedPorts: [{ targetPort: 80, protocol: 'HTTP' }] },
      /^exposedPorts: protocol "HTTP" is not one of TCP, UDP, SCTP\.$/,
    ],
    ['a NUL in the directory', { workingDirectory: '/a\0b' }, /^workingDirectory holds a NUL character\.$/],
    ['a NUL in an argument', { exe: '/x', args: ['a\0b'] }, /^command or args: an argument holds a NUL character\.$/],
    [
      'a NUL in a variable',
      { environment: [{ name: 'A', value: 'secret\0' }] },
      /^environment: A holds a NUL character\.$/,
    ],
    [
      'tags that are too many',
      { tags: Array.from({ length: 250 }, () => 'x'.repeat(1000)) },
      /more than the 245760 that Kubernetes stores beside control and result/,
    ],
    ['a job that is too large', { exe: '/x', args: Array.from({ length: 15 }, () => 'x'.repeat(100_000)) }, /1400000/],
    [
      'nfs without a host',
      { mounts: [{ mountPath: '/m', readOnly: false, type: 'nfs', source: { path: '/' }, shape: 'flat' }] },
      /^The nfs mount at \/m: source\.host is missing; it must be text that is not empty\.$/,
    ],
    [
      'ceph without monitors',
      { mounts: [{ mountPath: '/m', readOnly: false, type: 'cephFs', source: { monitors: [] }, shape: 'flat' }] },
      /cephFs.*(monitors|PersistentVolumeClaim)/,
    ],
    [
      'gluster since 1.26',
      {
        mounts: [
          { mountPath: '/m', readOnly: false, type: 'glusterFs', source: { endpoints: 'e', path: '/' }, shape: 'flat' },
        ],
      },
      /no glusterFs mounts since 1\.26.*PersistentVolumeClaim/,
    ],
  ];
  for (const [what, members, sentence] of refused) {
    const error = t.throws(() => builtJob(resolved(members), CONTEXT), { code: 'invalid-request' }, what);
    t.match(String(error instanceof JobError ? error.message : ''), sentence, what);
  }
});

t.test('the largest variable, port and argument are accepted; $ counts as one byte', async (t) => {
  t.doesNotThrow(() => builtJob(resolved({ environment: [{ name: 'A', value: 'x'.repeat(131_069) }] }), CONTEXT));
  t.doesNotThrow(() => builtJob(resolved({ exposedPorts: [{ targetPort: 65_535, protocol: 'SCTP' }] }), CONTEXT));
  t.doesNotThrow(() => builtJob(resolved({ exe: '/x', args: ['$'.repeat(131_071)] }), CONTEXT));
});

t.test('stdin of more than 1 MiB is refused', async (t) => {
  t.throws(() => checkInput('x'.repeat(1_048_577)), { code: 'invalid-request' });
  t.doesNotThrow(() => checkInput('x'.repeat(1_048_576)));
});

t.test('a label of the Service that the plugin sets is refused', async (t) => {
  t.throws(() => buildService({ ...resolved({ metadata: { service: { labels: { user: 'x' } } } }) }, 'a', 'NodePort'), {
    code: 'invalid-request',
  });
});

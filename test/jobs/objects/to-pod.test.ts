/** A pod runs, mounts and may do what its job asked for; what the job leaves out is left out. */
import t from 'tap';
import type { JobRequest, Mount } from '../../../src/jobs/job.ts';
import { ttlSeconds } from '../../../src/jobs/objects/to-job.ts';
import { builtJob, CONTEXT, request, resolved, schemaCheck } from '../requests.ts';

const check = schemaCheck();

t.test('the least that a job can say', async (t) => {
  const job = builtJob(resolved({ command: 'true' }), CONTEXT);
  t.strictSame(job, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'report-a1b2c3d4e5',
      labels: { 'app.kubernetes.io/managed-by': 'launcher', 'job-launcher/user': 'alice' },
      annotations: { 'job-launcher/job': '{"run":"command"}', 'job-launcher/submission': 's-1' },
    },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: 90000,
      template: {
        metadata: {
          labels: { 'app.kubernetes.io/managed-by': 'launcher', 'job-launcher/user': 'alice' },
          annotations: { name: 'report', user: 'alice', service_ports: '[]' },
        },
        spec: {
          restartPolicy: 'Never',
          containers: [{ name: 'rs-launcher-container', image: 'busybox', command: ['/bin/sh'], args: ['-c', 'true'] }],
          enableServiceLinks: false,
          automountServiceAccountToken: false,
          shareProcessNamespace: true,
        },
      },
    },
  });
  t.equal(check('batch.v1.Job', job), '');
});

t.test('what a container runs', async (t) => {
  const run = (members: Partial<JobRequest>) => {
    const { command, args } = builtJob(resolved(members), CONTEXT).spec?.template.spec?.containers[0] ?? {};
    return { command, args };
  };
  t.strictSame(run({ exe: '/bin/x', args: ['a', '$b'] }), { command: ['/bin/x'], args: ['a', '$$b'] });
  t.strictSame(run({ exe: '/bin/x' }), { command: ['/bin/x'], args: undefined });
  t.strictSame(run({ args: ['only'] }), { command: undefined, args: ['only'] });
  t.strictSame(run({}), { command: undefined, args: undefined });
});

t.test('every type of mount', async (t) => {
  const volumesOf = (mounts: readonly Mount[], minor = 25) => {
    const spec = builtJob(resolved({ mounts }), { ...CONTEXT, minor }).spec?.template.spec;
    t.equal(check('batch.v1.Job', builtJob(resolved({ mounts }), { ...CONTEXT, minor })), '');
    return { volumes: spec?.volumes, mounts: spec?.containers[0]?.volumeMounts };
  };
  const mount = (type: string, source: Mount['source'], more: Partial<Mount> = {}): Mount => ({
    mountPath: '/m',
    readOnly: false,
    type,
    source,
    shape: 'flat',
    ...more,
  });
  t.strictSame(
    volumesOf([
      mount('azureFile', { secretName: 's', shareName: 'h' }, { readOnly: true }),
      mount('cephFs', { monitors: ['a:1', 'b:1'], path: '/p', user: 'u', secretFile: '/f', secretRef: 'r' }),
      mount('passthrough', { persistentVolumeClaim: { claimName: 'home' }, subPath: 'jane' }),
      mount('custom', { emptyDir: { sizeLimit: '1Gi' } }),
      mount('constructor', { emptyDir: { medium: 'Memory' }, subPath: 'x' }),
    ]),
    {
      volumes: [
        { name: 'mount0', azureFile: { secretName: 's', shareName: 'h', readOnly: true } },
        {
          name: 'mount1',
          cephfs: { monitors: ['a:1', 'b:1'], path: '/p', user: 'u', secretFile: '/f', secretRef: { name: 'r' } },
        },
        { name: 'mount2', persistentVolumeClaim: { claimName: 'home' } },
        { name: 'mount3', emptyDir: { sizeLimit: '1Gi' } },
        { name: 'mount4', emptyDir: { medium: 'Memory' } },
      ],
      mounts: [
        { name: 'mount0', mountPath: '/m', readOnly: true },
        { name: 'mount1', mountPath: '/m' },
        { name: 'mount2', mountPath: '/m', subPath: 'jane' },
        { name: 'mount3', mountPath: '/m' },
        { name: 'mount4', mountPath: '/m', subPath: 'x' },
      ],
    },
  );
  t.strictSame(volumesOf([mount('glusterFs', { endpoints: 'e', path: '/p' })]).volumes, [
    { name: 'mount0', glusterfs: { endpoints: 'e', path: '/p' } },
  ]);
  t.strictSame(
    volumesOf([
      mount('host', { path: '/a' }, { name: 'Data' }),
      mount('host', { path: '/b' }, { name: 'data' }),
      mount('host', { path: '/a' }, { name: 'again', mountPath: '/n' }),
      mount('host', { path: '/c' }, { name: 'ü' }),
    ]),
    {
      volumes: [
        { name: 'data', hostPath: { path: '/a' } },
        { name: 'data-2', hostPath: { path: '/b' } },
        { name: 'u', hostPath: { path: '/c' } },
      ],
      mounts: [
        { name: 'data', mountPath: '/m' },
        { name: 'data-2', mountPath: '/m' },
        { name: 'data', mountPath: '/n' },
        { name: 'u', mountPath: '/m' },
      ],
    },
  );
});

t.test('automount, expiry and the least that is written', async (t) => {
  const specOf = (members: Parameters<typeof resolved>[0], policy?: Parameters<typeof resolved>[1]) =>
    builtJob(resolved(members, policy), CONTEXT).spec?.template.spec;
  const named = { config: [{ name: 'serviceAccountName', value: 'a' }] };
  t.equal(specOf({})?.automountServiceAccountToken, false, 'nobody named an account');
  t.notOk('automountServiceAccountToken' in (specOf(named) ?? {}), 'the job did');
  t.equal(specOf(named, { lines: 'automount-service-account-token=0' })?.automountServiceAccountToken, false);
  t.equal(specOf({}, { lines: 'automount-service-account-token=1' })?.automountServiceAccountToken, true);
  t.equal(specOf({}, { lines: 'service-account=p' })?.serviceAccountName, 'p');
  t.equal(specOf({}, { lines: 'active-deadline-seconds=90' })?.activeDeadlineSeconds, 90);
  t.equal(ttlSeconds(0), 3600);
  t.equal(ttlSeconds(1000), 3_603_600);
  t.equal(ttlSeconds(87_600_000), 2_147_483_647);
  t.equal(builtJob(resolved(request({ user: '***' })), CONTEXT).metadata?.labels?.['job-launcher/user'], undefined);
});

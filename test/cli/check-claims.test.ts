/** A claim that exists, but that jobs cannot mount, is reported with the reason, as far as it is known without a pod. */
import t from 'tap';
import { claimProblem } from '../../src/cli/check/check-claims.ts';
import { errorOfStatus } from '../../src/kubernetes/kubernetes-error.ts';
import { clientOf } from '../kubernetes/server.ts';

const RWX = ['ReadWriteMany'];
const DESCRIBE = 'the reason: kubectl -n rstudio describe pvc home';

/** What the claim's storage class is: its binding mode, or the error of reading it. */
function problemOf(claim: object, storageClass = 'Immediate') {
  const client = clientOf(t, 'http://127.0.0.1:9');
  const get = async (): Promise<never> => {
    if (storageClass === 'Immediate' || storageClass === 'WaitForFirstConsumer')
      return { object: { volumeBindingMode: storageClass }, warnings: [], date: undefined } as never;
    const refusal =
      storageClass === 'not-found' ? { code: 404, reason: 'NotFound' } : { code: 403, reason: 'Forbidden' };
    const details = { name: 'fast', kind: 'storageclasses' };
    throw errorOfStatus(
      { kind: 'Status', ...refusal, details },
      { method: 'GET', path: '/', authorization: undefined },
    );
  };
  return claimProblem({ metadata: { name: 'home' }, ...claim }, { ...client, get });
}
const pending = { spec: { storageClassName: 'fast', accessModes: RWX }, status: { phase: 'Pending' } };

t.test('a bound claim for many nodes', async (t) => {
  t.equal(await problemOf({ spec: { accessModes: RWX }, status: { phase: 'Bound', accessModes: RWX } }), undefined);
});

t.test('a pending claim with a class that waits for the first pod', async (t) => {
  t.equal(await problemOf(pending, 'WaitForFirstConsumer'), undefined);
});

for (const [title, claim, storageClass, expected] of [
  [
    'a pending claim with a class that binds at once',
    pending,
    'Immediate',
    { status: 'failed', found: 'is Pending: it has no volume; jobs with it stay Pending', remedy: DESCRIBE },
  ],
  [
    'a pending claim with a class that does not exist',
    pending,
    'not-found',
    {
      status: 'failed',
      found: 'is Pending: it has no volume, because StorageClass fast does not exist',
      remedy: 'create the StorageClass, or a claim with another one; existing ones: kubectl get storageclasses',
    },
  ],
  [
    'a pending claim with a class that the account may not read',
    pending,
    'forbidden',
    {
      status: 'warning',
      found:
        'is Pending: it has no volume; jobs with it stay Pending, unless StorageClass fast waits for the first pod (WaitForFirstConsumer)',
      remedy: DESCRIBE,
    },
  ],
  [
    'a pending claim without a class',
    { status: { phase: 'Pending' } },
    'Immediate',
    {
      status: 'failed',
      found: 'is Pending: it has no volume and no storage class; jobs with it stay Pending',
      remedy: DESCRIBE,
    },
  ],
  [
    'a claim that lost its volume',
    { status: { phase: 'Lost' } },
    'Immediate',
    { status: 'failed', found: 'is Lost: its volume was deleted', remedy: DESCRIBE },
  ],
  [
    'a claim that is being deleted',
    { metadata: { name: 'home', deletionTimestamp: '2026-01-02T03:04:05Z' }, status: { phase: 'Bound' } },
    'Immediate',
    {
      status: 'failed',
      found: 'is being deleted; jobs with it stay Pending',
      remedy: 'create it again, or correct the name',
    },
  ],
  [
    'a claim of a block device',
    { spec: { volumeMode: 'Block' }, status: { phase: 'Bound' } },
    'Immediate',
    {
      status: 'failed',
      found: 'has volumeMode Block and cannot be mounted at a path',
      remedy: 'create a claim with volumeMode Filesystem',
    },
  ],
  [
    'a claim for one node',
    { spec: { accessModes: ['ReadWriteOnce'] }, status: { phase: 'Bound', accessModes: ['ReadWriteOnce'] } },
    'Immediate',
    {
      status: 'warning',
      found: 'has the access mode ReadWriteOnce, which allows one node: jobs with it on another node stay Pending',
      remedy: 'create a claim with ReadWriteMany, or let all its jobs run on one node (node-selector)',
    },
  ],
] as const) {
  t.test(title, async (t) => {
    t.strictSame(await problemOf(claim, storageClass), expected);
  });
}

/**
 * Can the volume of an existing claim be mounted? What is known without a pod: phase, storage class, access modes, volume mode.
 * Whether a node can reach the storage only a pod shows.
 */
import type { PersistentVolumeClaim } from 'kubernetes-types/core/v1.d.ts';
import type { StorageClass } from 'kubernetes-types/storage/v1.d.ts';
import type { Client, Resource } from '../../kubernetes/contract.ts';
import { isForbidden, isNotFound } from '../../kubernetes/kubernetes-error.ts';

export const CLAIMS: Resource<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumeclaims',
  kind: 'PersistentVolumeClaim',
  namespaced: true,
};
export const STORAGE_CLASSES: Resource<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'storageclasses',
  kind: 'StorageClass',
  namespaced: false,
};

interface ClaimProblem {
  readonly status: 'failed' | 'warning';
  readonly found: string;
  readonly remedy: string;
}

/** Access modes that are too narrow for the jobs of several users, if the claim has no wider one. */
const NARROW: readonly (readonly [mode: string, found: string, remedy: string])[] = [
  [
    'ReadWriteOncePod',
    'allows one pod: a second job with it stays Pending',
    'create a claim with ReadWriteMany for jobs that run at the same time',
  ],
  [
    'ReadWriteOnce',
    'allows one node: jobs with it on another node stay Pending',
    'create a claim with ReadWriteMany, or let all its jobs run on one node (node-selector)',
  ],
  ['ReadOnlyMany', 'allows no writing', 'mount it read-only, or create a claim with ReadWriteMany'],
];

/** Undefined: it can be mounted, as far as that is known. */
export async function claimProblem(claim: PersistentVolumeClaim, client: Client): Promise<ClaimProblem | undefined> {
  const { metadata, spec, status } = claim;
  const describe = `the reason: kubectl -n ${client.namespace} describe pvc ${metadata?.name}`;
  const failed = (found: string, remedy: string): ClaimProblem => ({ status: 'failed', found, remedy });
  if (metadata?.deletionTimestamp !== undefined)
    return failed('is being deleted; jobs with it stay Pending', 'create it again, or correct the name');
  if (spec?.volumeMode === 'Block')
    return failed('has volumeMode Block and cannot be mounted at a path', 'create a claim with volumeMode Filesystem');
  if (status?.phase === 'Lost') return failed('is Lost: its volume was deleted', describe);
  if (status?.phase === 'Pending') return pendingClaim(spec?.storageClassName, client, describe);
  const modes = status?.accessModes ?? spec?.accessModes ?? [];
  const narrow = NARROW.find(([mode]) => modes.length === 1 && modes[0] === mode);
  if (narrow === undefined) return undefined;
  const [mode, found, remedy] = narrow;
  return { status: 'warning', found: `has the access mode ${mode}, which ${found}`, remedy };
}

/** A claim without a volume is fine if its class waits for the first pod. */
async function pendingClaim(
  name: string | undefined,
  client: Client,
  describe: string,
): Promise<ClaimProblem | undefined> {
  const unbound = 'is Pending: it has no volume';
  if (name === undefined || name === '')
    return { status: 'failed', found: `${unbound} and no storage class; jobs with it stay Pending`, remedy: describe };
  try {
    const { object } = await client.get(STORAGE_CLASSES, name);
    if (object.volumeBindingMode === 'WaitForFirstConsumer') return undefined;
    return { status: 'failed', found: `${unbound}; jobs with it stay Pending`, remedy: describe };
  } catch (error) {
    if (isNotFound(error)) {
      const remedy = 'create the StorageClass, or a claim with another one; existing ones: kubectl get storageclasses';
      return { status: 'failed', found: `${unbound}, because StorageClass ${name} does not exist`, remedy };
    }
    if (!isForbidden(error)) throw error;
    const found = `${unbound}; jobs with it stay Pending, unless StorageClass ${name} waits for the first pod (WaitForFirstConsumer)`;
    return { status: 'warning', found, remedy: describe };
  }
}

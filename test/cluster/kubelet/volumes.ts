/**
 * Volumes that a pod waits for. Nothing is really mounted: what counts is whether the source is there (kubernetes-facts.md 25).
 */
import { existsSync, statSync } from 'node:fs';
import { CONFIG_MAPS, SECRETS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import type { Pod } from '../model.ts';

/** The text of the FailedMount event; undefined if all can be mounted. */
export function missingVolume(store: Store, pod: Pod): string | undefined {
  const { namespace = '' } = pod.metadata;
  for (const volume of pod.spec.volumes ?? []) {
    const why =
      missingObject(store, namespace, 'secret', volume.secret?.secretName, volume.secret?.optional) ??
      missingObject(store, namespace, 'configmap', volume.configMap?.name, volume.configMap?.optional) ??
      wrongHostPath(volume.hostPath) ??
      (volume.nfs === undefined ? undefined : unreachableNfs(volume.nfs, pod.metadata.uid, volume.name));
    if (why !== undefined) return `MountVolume.SetUp failed for volume "${volume.name}" : ${why}`;
  }
  return undefined;
}

function missingObject(
  store: Store,
  namespace: string,
  kind: 'secret' | 'configmap',
  name: string | undefined,
  optional: boolean | undefined,
): string | undefined {
  if (name === undefined || optional === true) return undefined;
  const found = store.get(kind === 'secret' ? SECRETS : CONFIG_MAPS, namespace, name);
  return found === undefined ? `${kind} "${name}" not found` : undefined;
}

const CHECKED_TYPES: Readonly<Record<string, (path: string) => boolean>> = {
  Directory: (path) => existsSync(path) && statSync(path).isDirectory(),
  File: (path) => existsSync(path) && statSync(path).isFile(),
  Socket: (path) => existsSync(path) && statSync(path).isSocket(),
};

function wrongHostPath(source: { path: string; type?: string } | undefined): string | undefined {
  const check = CHECKED_TYPES[source?.type ?? ''];
  if (source === undefined || check === undefined || check(source.path)) return undefined;
  return `hostPath type check failed: ${source.path} is not a ${source.type?.toLowerCase()}`;
}

/** No server answers here, unless its name says that it does (README.md). */
function unreachableNfs(source: { server: string; path: string }, uid: string, volume: string): string | undefined {
  if (!/nowhere|unreachable|^\d+\.\d+\.\d+\.\d+$/.test(source.server)) return undefined;
  const target = `/var/lib/kubelet/pods/${uid}/volumes/kubernetes.io~nfs/${volume}`;
  return `mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs ${source.server}:${source.path} ${target}\nOutput: mount: ${target}: unknown filesystem type 'nfs'.\n       dmesg(1) may have more information after failed mount system call.\n`;
}

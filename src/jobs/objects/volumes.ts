/**
 * Mounts as volumes (kubernetes-objects.md section 1, launcher-plugin-api.md section 6). Equal sources share one volume;
 * every volume has a name of its own.
 */
import type { Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { FieldError } from '../../system/schema.ts';
import type { Mount } from '../job.ts';
import { refuse } from '../job-error.ts';
import { mountTypeOf, volumeOfSource } from './mount-types.ts';
import { volumeNames } from './names.ts';

type VolumeSource = Omit<Volume, 'name'>;

/** The volume of a mount. Throws JobError 'invalid-request' for what the server (Kubernetes 1.`minor`) cannot do. */
function volumeSource({ type, source, mountPath, readOnly }: Mount, minor: number): VolumeSource {
  const known = mountTypeOf(type);
  if (known?.removedIn !== undefined && minor >= known.removedIn)
    refuse(
      `Kubernetes has no ${type} mounts since 1.${known.removedIn} (mount at ${mountPath}): create a PersistentVolumeClaim for the storage and mount that, with type passthrough and source {"persistentVolumeClaim": {"claimName": ...}}.`,
    );
  try {
    return known === undefined ? volumeOfSource(type, source) : known.toVolume(source, readOnly);
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    const field = error.path.length === 0 ? 'source ' : 'source.';
    return refuse(`The ${type} mount at ${mountPath}: ${field}${error.message.trim()}.`);
  }
}

/** The volumes of a pod, made as its containers name their mounts. */
export function podVolumes(
  minor: number,
  reserved?: ReadonlySet<string>,
): {
  readonly mount: (mounts: readonly Mount[]) => VolumeMount[];
  readonly volumes: () => Volume[];
} {
  const nextName = volumeNames(reserved);
  const bySource = new Map<string, Volume>();
  let count = 0;
  const volumeOf = (mount: Mount): Volume => {
    const source = volumeSource(mount, minor);
    const key = JSON.stringify(source, sorted);
    const known = bySource.get(key);
    const index = count++;
    if (known !== undefined) return known;
    const volume = { name: nextName(mount.name ?? `mount${index}`), ...source };
    bySource.set(key, volume);
    return volume;
  };
  return {
    mount: (mounts) =>
      mounts.map((mount) => {
        const { name } = volumeOf(mount);
        const subPath = mount.source['subPath'];
        return {
          name,
          mountPath: mount.mountPath,
          ...(mount.readOnly ? { readOnly: true } : {}),
          ...(typeof subPath === 'string' && mountTypeOf(mount.type) === undefined ? { subPath } : {}),
        };
      }),
    volumes: () => [...bySource.values()],
  };
}

/** Fields in the order of their names, so that equal sources are equal strings. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

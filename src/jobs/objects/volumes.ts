/**
 * Mounts as volumes (kubernetes-objects.md section 1, launcher-plugin-api.md section 6). Equal sources share one volume;
 * every volume has a name of its own.
 */
import type { Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import type { Mount } from '../job.ts';
import { JobError } from '../job-error.ts';
import { volumeNames } from './names.ts';

type VolumeSource = Omit<Volume, 'name'>;

/** Volume types that newer servers no longer know: the first minor version of Kubernetes 1 without them. */
const REMOVED_IN: Readonly<Record<string, number>> = { glusterFs: 26, cephFs: 31 };

type Source = Mount['source'];

function required(source: Source, member: string, mount: Mount): string {
  const value = source[member];
  if (typeof value === 'string' && value !== '') return value;
  throw new JobError('invalid-request', `The ${mount.type} mount at ${mount.mountPath} needs source.${member}.`);
}

function optional<K extends string>(source: Source, member: K): { [key in K]?: string } {
  const value = source[member];
  return typeof value === 'string' && value !== '' ? ({ [member]: value } as { [key in K]?: string }) : {};
}

function cephfs(source: Source, mount: Mount): VolumeSource {
  const monitors: readonly unknown[] = Array.isArray(source['monitors']) ? source['monitors'] : [];
  const texts = monitors.filter((monitor) => typeof monitor === 'string' && monitor !== '');
  if (texts.length === 0 || texts.length !== monitors.length)
    throw new JobError(
      'invalid-request',
      `The cephFs mount at ${mount.mountPath} needs source.monitors, a list of texts.`,
    );
  const secret = source['secretRef'];
  return {
    cephfs: {
      monitors: texts.map(String),
      ...optional(source, 'path'),
      ...optional(source, 'user'),
      ...optional(source, 'secretFile'),
      ...(typeof secret === 'string' && secret !== '' ? { secretRef: { name: secret } } : {}),
    },
  };
}

/** A volume source object as it came, `subPath` left to the mount. */
function passthrough(source: Source): VolumeSource {
  const { subPath: _, name: _name, ...volume } = source;
  return volume;
}

const SOURCES: Readonly<Record<string, (source: Source, mount: Mount) => VolumeSource>> = {
  host: (source, mount) => ({ hostPath: { path: required(source, 'path', mount) } }),
  nfs: (source, mount) => ({
    nfs: {
      server: required(source, 'host', mount),
      path: required(source, 'path', mount),
      ...(mount.readOnly ? { readOnly: true } : {}),
    },
  }),
  azureFile: (source, mount) => ({
    azureFile: {
      secretName: required(source, 'secretName', mount),
      shareName: required(source, 'shareName', mount),
      ...(mount.readOnly ? { readOnly: true } : {}),
    },
  }),
  cephFs: (source, mount) => ({ ...cephfs(source, mount) }),
  glusterFs: (source, mount) => ({
    glusterfs: { endpoints: required(source, 'endpoints', mount), path: required(source, 'path', mount) },
  }),
};

const byType = <T>(table: Readonly<Record<string, T>>, { type }: Mount): T | undefined =>
  Object.hasOwn(table, type) ? table[type] : undefined;

/** What a mount's volume is. Throws JobError 'invalid-request' for what the server (Kubernetes 1.`minor`) cannot do. */
function volumeSource(mount: Mount, minor: number): VolumeSource {
  const removed = byType(REMOVED_IN, mount);
  if (removed !== undefined && minor >= removed)
    throw new JobError(
      'invalid-request',
      `Kubernetes has no ${mount.type} mounts since 1.${removed} (mount at ${mount.mountPath}): make a PersistentVolumeClaim of it and mount that, with type passthrough and source {"persistentVolumeClaim": {"claimName": ...}}.`,
    );
  const known = byType(SOURCES, mount);
  return known === undefined ? passthrough(mount.source) : known(mount.source, mount);
}

/** The volumes of a pod, made as its containers name their mounts. */
export function podVolumes(minor: number): {
  readonly mount: (mounts: readonly Mount[]) => VolumeMount[];
  readonly volumes: () => Volume[];
} {
  const nextName = volumeNames();
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
          ...(typeof subPath === 'string' && byType(SOURCES, mount) === undefined ? { subPath } : {}),
        };
      }),
    volumes: () => [...bySource.values()],
  };
}

/** Members in the order of their names, so that equal sources are equal texts. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

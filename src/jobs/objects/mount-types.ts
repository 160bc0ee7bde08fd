/**
 * The mount types of the launcher protocol (section 6) that have a volume of their own: what their source must hold, the
 * volume that it becomes, and the source of such a volume. Any other type holds a Kubernetes volume source as it is.
 */
import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import { omitEmpty } from '../../system/omit-empty.ts';
import { type Fields, type Infer, list, nonEmpty, readFields, string } from '../../system/schema.ts';

/** The source of a mount as it came, with the fields that no table names. */
export type MountSource = Readonly<Record<string, unknown>>;

type VolumeSource = Omit<Volume, 'name'>;

interface MountType {
  /** What the source must hold. */
  readonly source: Fields;
  /** The field of a Kubernetes volume. */
  readonly kind: keyof VolumeSource;
  /** The first minor version of Kubernetes 1 that no longer has this kind of volume. */
  readonly removedIn?: number;
  /** Throws FieldError. */
  readonly toVolume: (source: MountSource, readOnly: boolean) => VolumeSource;
  /** The source of a mount with this volume; undefined: it is of another kind. */
  readonly fromVolume: (volume: VolumeSource) => MountSource | undefined;
}

function mountType<F extends Fields, K extends keyof VolumeSource>(
  kind: K,
  source: F,
  to: (source: Infer<F>, readOnly: boolean) => VolumeSource[K],
  from: (volume: NonNullable<VolumeSource[K]>) => MountSource,
  more: Pick<MountType, 'removedIn'> = {},
): MountType {
  return {
    source,
    kind,
    toVolume: (given, readOnly) => ({ [kind]: to(readFields(source, given) as unknown as Infer<F>, readOnly) }),
    fromVolume: ({ [kind]: volume }) => (volume === undefined ? undefined : from(volume)),
    ...more,
  };
}

const filled = nonEmpty(string());
const ifReadOnly = (readOnly: boolean): { readOnly?: true } => (readOnly ? { readOnly } : {});

const MOUNT_TYPES: ReadonlyMap<string, MountType> = new Map([
  [
    'host',
    mountType(
      'hostPath',
      { path: filled },
      ({ path }) => ({ path }),
      ({ path }) => ({ path }),
    ),
  ],
  [
    'nfs',
    mountType(
      'nfs',
      { host: filled, path: filled },
      ({ host, path }, readOnly) => ({ server: host, path, ...ifReadOnly(readOnly) }),
      ({ server, path }) => ({ host: server, path }),
    ),
  ],
  [
    'azureFile',
    mountType(
      'azureFile',
      { secretName: filled, shareName: filled },
      ({ secretName, shareName }, readOnly) => ({ secretName, shareName, ...ifReadOnly(readOnly) }),
      ({ secretName, shareName }) => ({ secretName, shareName }),
    ),
  ],
  [
    'cephFs',
    mountType(
      'cephfs',
      {
        monitors: list(filled, { min: 1 }),
        path: string().optional(),
        user: string().optional(),
        secretFile: string().optional(),
        secretRef: string().optional(),
      },
      ({ monitors, path, user, secretFile, secretRef = '' }) => ({
        monitors: [...monitors],
        ...omitEmpty({ path, user, secretFile, secretRef: secretRef === '' ? undefined : { name: secretRef } }),
      }),
      ({ monitors, path, user, secretFile, secretRef }) => ({
        monitors,
        ...omitEmpty({ path, user, secretFile, secretRef: secretRef?.name }),
      }),
      { removedIn: 31 },
    ),
  ],
  [
    'glusterFs',
    mountType(
      'glusterfs',
      { endpoints: filled, path: filled },
      ({ endpoints, path }) => ({ endpoints, path }),
      ({ endpoints, path }) => ({ endpoints, path }),
      { removedIn: 26 },
    ),
  ],
]);

/** The type of this name; undefined: the source of such a mount is a Kubernetes volume source. */
export function mountTypeOf(name: string): MountType | undefined {
  return MOUNT_TYPES.get(name);
}

/** The mount types that a volume equals, by the kinds that it names. */
export function mountTypesOf(volume: VolumeSource): readonly string[] {
  return [...MOUNT_TYPES].filter(([, { kind }]) => Object.hasOwn(volume, kind)).map(([name]) => name);
}

/** The type and source of a mount with this volume. */
export function mountOfVolume(volume: VolumeSource): { readonly type: string; readonly source: MountSource } {
  for (const [type, { fromVolume }] of MOUNT_TYPES) {
    const source = fromVolume(volume);
    if (source !== undefined) return { type, source };
  }
  return { type: 'passthrough', source: { ...volume } };
}

/**
 * Types of mounts (launcher-plugin-api.md section 6): those of the launcher protocol, with the volume that each becomes
 * and the source of such a volume, and the kinds of Kubernetes volumes, by which other mounts name theirs.
 */
import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import { isObject } from '../../system/json.ts';
import { omitEmpty } from '../../system/omit-empty.ts';
import { FieldError, type Fields, type Infer, list, nonEmpty, readFields, text } from '../../system/schema.ts';

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

const filled = nonEmpty(text());
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
        path: text().optional(),
        user: text().optional(),
        secretFile: text().optional(),
        secretRef: text().optional(),
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

/** Every kind of volume of Kubernetes 1.20 to 1.36. */
export const VOLUME_KINDS: readonly string[] = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'hostPath',
  'image',
  'iscsi',
  'nfs',
  'persistentVolumeClaim',
  'photonPersistentDisk',
  'portworxVolume',
  'projected',
  'quobyte',
  'rbd',
  'scaleIO',
  'secret',
  'storageos',
  'vsphereVolume',
];

const KINDS_BY_NAME: ReadonlyMap<string, string> = new Map(VOLUME_KINDS.map((kind) => [kind.toLowerCase(), kind]));

const CLAIM = 'persistentVolumeClaim';
const CLAIM_FIELDS: readonly string[] = ['claimName', 'readOnly'];

/** The kind of volume that a mount type names: `persistentVolumeClaim`, `KubernetesConfigMap`, in any case. */
export function volumeKindOf(type: string): string | undefined {
  const name = type.toLowerCase();
  return KINDS_BY_NAME.get(name.startsWith('kubernetes') ? name.slice('kubernetes'.length) : name);
}

/**
 * The volume of a mount that is of no type of the protocol: its source is a volume source such as
 * `{"configMap": {...}}`, or the inside of one where its type names the kind or it has a claim name. Throws FieldError.
 */
export function volumeOfSource(type: string, { subPath: _, ...source }: MountSource): VolumeSource {
  const named = volumeKindOf(type);
  const inside = named ?? (isClaim(source) ? CLAIM : undefined);
  if (inside !== undefined && !Object.hasOwn(source, inside)) {
    return { [inside]: inside === CLAIM ? claimOf(source) : source };
  }
  const { name: _name, ...volume } = source;
  const [kind = '', ...more] = Object.keys(volume);
  if (more.length === 0 && VOLUME_KINDS.includes(kind) && isObject(volume[kind])) return volume;
  const found =
    kind === ''
      ? 'is empty'
      : `has ${[kind, ...more]
          .slice(0, 10)
          .map((key) => JSON.stringify(key.slice(0, 60)))
          .join(', ')}`;
  throw new FieldError(`${found}; it must be one Kubernetes volume source such as {"${CLAIM}": {"claimName": "home"}}`);
}

const isClaim = (source: MountSource): boolean => {
  const keys = Object.keys(source).map((key) => key.toLowerCase());
  return keys.includes('claimname') && keys.every((key) => CLAIM_FIELDS.some((each) => each.toLowerCase() === key));
};

/** A claim, its fields in any case: configuration files of other products write ClaimName. */
function claimOf(source: MountSource): MountSource {
  const entries = Object.entries(source).map(([key, value]): [string, unknown] => [
    CLAIM_FIELDS.find((field) => field.toLowerCase() === key.toLowerCase()) ?? key,
    value,
  ]);
  const claim = Object.fromEntries(entries);
  readFields({ claimName: filled }, claim);
  return claim;
}

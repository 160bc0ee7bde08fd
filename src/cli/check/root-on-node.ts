/** Step of `check`: can a user without a section, or with --user that user, become root on a node through a job (configuration.md 2.1)? */

import type { Allowed } from '../../config/profiles/profile-kinds.ts';
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import { place } from '../../config/text/problem.ts';
import type { Setting } from '../../config/text/settings.ts';
import { mountTypeOf, mountTypesOf, VOLUME_KINDS, volumeKindOf } from '../../jobs/objects/mount-types.ts';
import { type Finding, ok, warning } from './check-report.ts';

/** With one of these, a root process can escape its container. */
const POWERFUL: readonly string[] = [
  'ALL',
  'SYS_ADMIN',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_PTRACE',
  'DAC_READ_SEARCH',
  'BPF',
  'MKNOD',
  'NET_ADMIN',
];

/** Kinds of volumes that give nothing of a node by themselves; claims, Secrets and accounts have keys of their own. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...[
    'configMap',
    'downwardAPI',
    'emptyDir',
    'ephemeral',
    'image',
    'nfs',
    'persistentVolumeClaim',
    'projected',
    'secret',
  ],
  'hostPath',
]);

/** Kinds of volumes that the node mounts, or runs a program for, as root: from servers and with options of the job. */
const MOUNTED_AS_ROOT: readonly string[] = VOLUME_KINDS.filter((kind) => !HARMLESS.has(kind));

/** May a job have a volume of this kind? As `mount-types` and `volume-kinds` decide (src/jobs/policy/hardening.ts). */
function mayMount(kind: string, { mountTypes, volumeKinds }: EffectiveProfile): boolean {
  const types = mountTypes.value;
  const [own] = mountTypesOf({ [kind]: {} });
  if (own !== undefined && !allows(types, own)) return false;
  if (own !== undefined) return true;
  const isOpen =
    types === 'any' || types.some((type) => mountTypeOf(type) === undefined && (volumeKindOf(type) ?? kind) === kind);
  return isOpen && allows(volumeKinds.value, kind);
}

/** Each way as `action (keys and places)`. `strongAccounts`: every account of the namespace is an administrator. */
function waysToRoot(profile: EffectiveProfile, strongAccounts: boolean): readonly string[] {
  const { runAs, podSecurity, mountTypes, volumeKinds, hostPaths, capabilities, claims, secrets, serviceAccounts } =
    profile;
  const isRestricted = podSecurity.value === 'restricted';
  const ways: string[] = [];
  // A job that may write below a path makes a symbolic link there, which the node follows at the next mount.
  const paths =
    hostPaths.value === 'any'
      ? 'any directory of the node'
      : `${hostPaths.value.join(', ')} of the node, and what symbolic links there name,`;
  if (hostPaths.value.length > 0 && allows(mountTypes.value, 'host')) {
    const keys = { 'mount-types': mountTypes, 'host-paths': hostPaths };
    if (runAs.value === 'any') ways.push(`mount ${paths} as any user (${by({ ...keys, 'run-as': runAs })})`);
    else if (!isRestricted)
      ways.push(`mount ${paths} and run a setuid program (${by({ ...keys, 'pod-security': podSecurity })})`);
  }
  const kinds = MOUNTED_AS_ROOT.filter((kind) => mayMount(kind, profile));
  if (kinds.length > 0) {
    const all = kinds.length === MOUNTED_AS_ROOT.length ? 'any kind' : `kind ${kinds.join(', ')}`;
    const keys = by({ 'mount-types': mountTypes, 'volume-kinds': volumeKinds });
    ways.push(`make the node mount volumes of ${all} as root (${keys})`);
  }
  if (claims.value === 'any' && ['persistentVolumeClaim', 'ephemeral'].some((kind) => mayMount(kind, profile)))
    ways.push(`use any claim or persistent volume, also one that is a directory of a node (${by({ claims })})`);
  const powers =
    capabilities.value === 'any' ? ['any capability'] : capabilities.value.filter((name) => POWERFUL.includes(name));
  if (!isRestricted && powers.length > 0)
    ways.push(
      `run a root or setuid program with ${powers.join(', ')} (${by({ capabilities, 'pod-security': podSecurity })})`,
    );
  if (
    strongAccounts &&
    (serviceAccounts.value === 'any' ||
      serviceAccounts.value.length > 0 ||
      secrets.value === 'any' ||
      profile.serviceAccount.value !== undefined ||
      profile.automountServiceAccountToken.value === true)
  ) {
    ways.push(
      `create privileged pods with the token of a service account, because the group binding makes it an administrator (${by({ 'service-accounts': serviceAccounts, secrets })})`,
    );
  }
  return ways;
}

export function rootOnNode(name: string, profile: EffectiveProfile, strongAccounts: boolean): Finding {
  const ways = waysToRoot(profile, strongAccounts);
  if (ways.length === 0) return ok(`${name} cannot become root on a node through a job`);
  const found = `${name} can become root on a node: a job may ${ways.join('; or ')}`;
  return warning(
    found,
    'set these keys in the profiles file, as the example hardened.profiles.conf does: mount-types, volume-kinds, claims, host-paths, run-as, pod-security, capabilities, secrets, service-accounts',
  );
}

function allows(allowed: Allowed, name: string): boolean {
  return allowed === 'any' || allowed.includes(name);
}

/** `mount-types, FILE:3; run-as, host-paths not set`. */
function by(settings: Readonly<Record<string, Setting<unknown>>>): string {
  const all = Object.entries(settings);
  const unset = all.filter(([, { origin }]) => origin === undefined).map(([key]) => key);
  return [
    ...all.flatMap(([key, { origin }]) => (origin === undefined ? [] : `${key}, ${place(origin)}`)),
    ...(unset.length === 0 ? [] : [`${unset.join(', ')} not set`]),
  ].join('; ');
}

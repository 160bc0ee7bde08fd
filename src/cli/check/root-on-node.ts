/** Step of `check --user`: can the user become root on a node through the settings of a job (configuration.md section 2.1)? */

import type { Allowed } from '../../config/profiles/profile-kinds.ts';
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import { place } from '../../config/text/problem.ts';
import type { Setting } from '../../config/text/settings.ts';
import { type Finding, ok, warning } from './check-report.ts';

/** Directories of the node: control over their content is control over what root runs. */
const SENSITIVE: readonly string[] = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/opt/cni',
  '/proc',
  '/root',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
  '/var/lib/cni',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/lib/kubelet',
  '/var/lib/rancher',
  '/var/run',
  '/var/spool/cron',
];

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

const HOST_TYPES: readonly string[] = ['host', 'passthrough'];

/** Each way as `action (keys and places)`. `strongAccounts`: every account of the namespace is an administrator. */
function waysToRoot(profile: EffectiveProfile, strongAccounts: boolean): readonly string[] {
  const { runAs, runAsNonRoot, podSecurity, mountTypes, hostPaths, capabilities, serviceAccounts } = profile;
  const anyUser = runAs.value === 'any';
  const root = anyUser && !runAsNonRoot.value && podSecurity.value === undefined;
  const ways: string[] = [];
  const mounts = HOST_TYPES.some((type) => allows(mountTypes.value, type)) && anyUser;
  const paths = hostPaths.value === 'any' ? ['any directory'] : hostPaths.value.filter(isSensitive);
  if (mounts && paths.length > 0) {
    ways.push(
      `mount ${paths.join(', ')} of the node as any user (${by({ 'mount-types': mountTypes, 'host-paths': hostPaths, 'run-as': runAs })})`,
    );
  }
  const powers =
    capabilities.value === 'any' ? ['any capability'] : capabilities.value.filter((name) => POWERFUL.includes(name));
  if (root && powers.length > 0)
    ways.push(`run as root with ${powers.join(', ')} (${by({ capabilities, 'run-as': runAs })})`);
  if (
    strongAccounts &&
    (serviceAccounts.value === 'any' ||
      serviceAccounts.value.length > 0 ||
      profile.serviceAccount.value !== undefined ||
      profile.automountServiceAccountToken.value === true)
  ) {
    ways.push(
      `create privileged pods with the token of a service account, because the group binding makes it an administrator (${by({ 'service-accounts': serviceAccounts })})`,
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
    'set the keys of hardened.profiles.conf: mount-types, host-paths, run-as, capabilities, service-accounts',
  );
}

function allows(allowed: Allowed, name: string): boolean {
  return allowed === 'any' || allowed.includes(name);
}

/** Is the path one of the sensitive ones, below one, or above one? */
function isSensitive(path: string): boolean {
  const own = `${path.replace(/(?<!\/)\/+$/, '')}/`;
  return SENSITIVE.some((each) => own.startsWith(`${each}/`) || `${each}/`.startsWith(own));
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

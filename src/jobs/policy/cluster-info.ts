/** Cluster info: the images, limits, constraints and accounts that a user may choose from (configuration.md section 5). */
import { type EffectiveProfile, type NumberKey, numberSetting } from '../../config/profiles/profiles.ts';
import type { ResourceProfile } from '../../config/profiles/resource-profiles.ts';
import type { Setting } from '../../config/text/settings.ts';
import { type Client, SERVICE_ACCOUNTS } from '../../kubernetes/contract.ts';
import type { TokenSubject } from '../../kubernetes/http/credentials.ts';
import { isForbidden } from '../../kubernetes/kubernetes-error.ts';
import type { Log } from '../../system/log.ts';
import type { ClusterInfo, ResourceProfileInfo } from '../contract.ts';
import type { JobConfig, ResourceLimit } from '../job.ts';
import { jobErrorOf } from '../job-error.ts';
import { allows, allowsAccount, imagesOf } from './hardening.ts';

interface ClusterFacts {
  readonly profile: EffectiveProfile;
  readonly resourceProfiles: readonly ResourceProfile[];
  /** Service accounts of the namespace; undefined: listing them is forbidden. */
  readonly serviceAccounts: readonly string[] | undefined;
  /** The plugin's own service account, if known; never offered. */
  readonly ownAccount: TokenSubject | undefined;
}

/** By type: the keys of its default and maximum; GPUs are shown only where there is a maximum. */
const LIMITS: readonly { type: string; byDefault: NumberKey; max: NumberKey; gpus?: true }[] = [
  { type: 'cpuCount', byDefault: 'default-cpus', max: 'max-cpus' },
  { type: 'CPU Request', byDefault: 'default-cpus-request', max: 'max-cpus-request' },
  { type: 'memory', byDefault: 'default-mem-mb', max: 'max-mem-mb' },
  { type: 'Memory Request', byDefault: 'default-mem-mb-request', max: 'max-mem-mb-request' },
  { type: 'NVIDIA GPUs', byDefault: 'default-nvidia-gpus', max: 'max-nvidia-gpus', gpus: true },
  { type: 'AMD GPUs', byDefault: 'default-amd-gpus', max: 'max-amd-gpus', gpus: true },
];

export function clusterInfo(facts: ClusterFacts): ClusterInfo {
  const { profile, resourceProfiles } = facts;
  const allowed = profile.resourceProfiles.value;
  return {
    allowUnknownImages: profile.allowUnknownImages.value,
    images: imagesOf(profile).toSorted(),
    defaultImage: profile.defaultContainerImage.value ?? '',
    config: config(facts),
    resourceLimits: LIMITS.flatMap(({ type, byDefault, max, gpus }) => {
      const most = numberSetting(profile, max).value;
      if (gpus && most === 0) return [];
      const given = numberSetting(profile, byDefault).value;
      return [
        {
          type,
          ...(given > 0 ? { defaultValue: String(given) } : {}),
          ...(most > 0 ? { maxValue: String(most) } : {}),
        },
      ];
    }),
    placementConstraints: profile.placementConstraints.value.map(({ name, value = '' }) => ({ name, value })),
    resourceProfiles: resourceProfiles.filter(({ id }) => allows(allowed, id)).map(resourceProfileInfo),
  };
}

function config({ profile, serviceAccounts, ownAccount }: ClusterFacts): readonly JobConfig[] {
  const secret: JobConfig = { name: 'secret', valueType: 'string', value: '' };
  if (serviceAccounts === undefined) return [secret];
  const offered = serviceAccounts.filter((name) => name !== ownAccount?.name && allowsAccount(name, profile));
  return [secret, { name: 'serviceAccountName', valueType: 'enum', value: offered.join(',') }];
}

function resourceProfileInfo(profile: ResourceProfile): ResourceProfileInfo {
  const { id, name, cpus, cpusRequest, memMb, memMbRequest, nvidiaGpus, amdGpus, placementConstraints } = profile;
  const limits: readonly (readonly [type: string, setting: Setting<number> | undefined])[] = [
    ['cpuCount', cpus],
    ['CPU Request', cpusRequest],
    ['memory', memMb],
    ['Memory Request', memMbRequest],
    ['NVIDIA GPUs', nvidiaGpus],
    ['AMD GPUs', amdGpus],
  ];
  return {
    name: id,
    displayName: name,
    limits: limits.flatMap(([type, setting]): readonly ResourceLimit[] =>
      setting === undefined || setting.value === 0 ? [] : [{ type, value: String(setting.value) }],
    ),
    placementConstraints: (placementConstraints?.value ?? []).map(({ name: key, value = '' }) => ({
      name: key,
      value,
    })),
  };
}

/**
 * Names of the namespace's service accounts, as a form offers them; undefined where listing them is forbidden (needs
 * list on serviceaccounts). Throws JobError.
 */
export async function serviceAccountNames(client: Client, log: Log): Promise<readonly string[] | undefined> {
  try {
    const { items } = await client.list(SERVICE_ACCOUNTS);
    return items.flatMap(({ metadata }) => metadata?.name ?? []);
  } catch (error) {
    if (!isForbidden(error)) throw jobErrorOf(error, 'The service accounts could not be listed');
    log.warning('Service accounts cannot be listed; the launcher does not offer them', { error });
    return undefined;
  }
}

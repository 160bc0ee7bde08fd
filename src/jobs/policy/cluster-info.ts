/** What a user is told of the cluster: what there is to choose from, and how much (configuration.md section 5). Pure. */
import { type EffectiveProfile, type NumberKey, numberSetting, type Setting } from '../../config/profiles/profiles.ts';
import type { ResourceProfile } from '../../config/profiles/resource-profiles.ts';
import type { TokenSubject } from '../../kubernetes/http/credentials.ts';
import type { ClusterInfo, ResourceProfileInfo } from '../contract.ts';
import type { JobConfig, ResourceLimit } from '../job.ts';
import { allows } from './hardening.ts';
import { imagesOf } from './images.ts';

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
  const offered = serviceAccounts.filter(
    (name) =>
      name !== ownAccount?.name &&
      (name === profile.serviceAccount.value || allows(profile.serviceAccounts.value, name)),
  );
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

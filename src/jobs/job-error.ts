/** How the policy refuses: the value, what it may be, and who wrote that where. */
import { type CamelCase, camelCase } from '../config/options/option-table.ts';
import type { ProfileKey } from '../config/profiles/profile-table.ts';
import type { EffectiveProfile, Setting } from '../config/profiles/profiles.ts';
import { place } from '../config/text/problem.ts';
import { JobError } from './contract.ts';

/** Throws JobError 'invalid-request'. */
export function refuse(sentence: string): never {
  throw new JobError('invalid-request', sentence);
}

/** `max-cpus, /etc/rstudio/launcher.kubernetes.profiles.conf:6`; without the place if it is a default. */
export function by(key: string, setting: Setting<unknown>): string {
  return setting.origin === undefined ? `${key} is not set` : `${key}, ${place(setting.origin)}`;
}

/** Refuses what a key of the profile does not allow. */
export function refuseBy<Key extends ProfileKey>(
  sentence: string,
  key: Key,
  profile: Pick<EffectiveProfile, CamelCase<Key>>,
): never {
  return refuse(`${sentence} (${by(key, profile[camelCase(key) as CamelCase<Key>])}).`);
}

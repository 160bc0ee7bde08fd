/** Which images jobs may use (configuration.md section 2, "Images"). */
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import { by, refuse } from '../job-error.ts';

/** The images that a user sees; the default one is always among them. */
export function imagesOf(profile: EffectiveProfile): readonly string[] {
  const byDefault = profile.defaultContainerImage.value;
  return [...new Set([...profile.containerImages.value, ...(byDefault === undefined ? [] : [byDefault])])];
}

/** Throws JobError 'invalid-request' for an image that is not the exact text of one that the user sees. */
export function checkImage(image: string, profile: EffectiveProfile): void {
  if (profile.allowUnknownImages.value || imagesOf(profile).includes(image)) return;
  refuse(
    `Image ${image} is not one of ${imagesOf(profile).join(', ') || 'no images'} (${by('container-images', profile.containerImages)}; ${by('allow-unknown-images', profile.allowUnknownImages)}).`,
  );
}

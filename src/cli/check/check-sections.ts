/** Step of `check` about the sections of the profiles: image names, and whether the cluster accepts a small job of each. */
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import type { EffectiveProfile, ProfileSection } from '../../config/profiles/profiles.ts';
import { place } from '../../config/text/problem.ts';
import { JobError } from '../../jobs/job-error.ts';
import { imagesOf } from '../../jobs/policy/hardening.ts';
import { KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { sectionName } from '../user-report.ts';
import { failedCall } from './check-api.ts';
import { dryRunJob, sectionJob, type Trial } from './check-overrides.ts';
import { type Checked, type Finding, ok, only, warning } from './check-report.ts';

/** An image reference: registry, lower-case name, tag and digest. */
const IMAGE =
  /^(?:[a-zA-Z0-9.-]{1,253}(?::\d{1,5})?\/)?[a-z0-9]{1,128}(?:[._/-]{1,2}[a-z0-9]{1,128}){0,32}(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

export const isImageName = (image: string): boolean => image.length <= 512 && IMAGE.test(image);

/** Dry runs at the same time, and the most sections that are tried. */
const CONCURRENCY = 4;
const MOST_SECTIONS = 40;

/** The image of a section's sample job. */
const imageOf = (profile: EffectiveProfile): string =>
  profile.defaultContainerImage.value || imagesOf(profile)[0] || 'busybox';

/** Overrides have a step of their own. */
export async function checkSections(files: PolicyFiles, trial: Trial): Promise<Checked<true>> {
  const { sections } = files.profiles;
  const findings: Finding[] = sections.flatMap(wrongImages);
  const tried = sections.slice(0, MOST_SECTIONS);
  for (let first = 0; first < tried.length; first += CONCURRENCY) {
    const batch = tried.slice(first, first + CONCURRENCY);
    findings.push(...(await Promise.all(batch.map((section) => trySection(section, files, trial)))).flat());
  }
  if (findings.length > 0) return only(...findings);
  const count = `${tried.length} of ${sections.length} section${sections.length === 1 ? '' : 's'}`;
  return only(ok(`the API server accepts a small job of ${count} (dry run)`));
}

function wrongImages(section: ProfileSection): readonly Finding[] {
  return (['container-images', 'default-container-image'] as const).flatMap((key) => {
    const { value, origin } = section.settings.get(key) ?? {};
    const images = (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string' && each !== '');
    return images
      .filter((image: string) => !isImageName(image))
      .map((image: string) =>
        warning(
          `${origin === undefined ? '' : `${place(origin)}: `}${key}: ${image} is not a valid image name`,
          'write it as [registry/]name[:tag], in lower case',
        ),
      );
  });
}

async function trySection(section: ProfileSection, files: PolicyFiles, trial: Trial): Promise<readonly Finding[]> {
  const at = `${place(section)}: [${sectionName(section)}]`;
  try {
    const warnings = await dryRunJob(sectionJob(section, files, trial.context, imageOf), trial);
    return warnings.map((text) =>
      warning(
        `${at}: the API server warns about a small job: ${text}`,
        text.includes('PodSecurity')
          ? 'set pod-security=restricted in this section, or change the label pod-security.kubernetes.io/warn of the namespace'
          : undefined,
      ),
    );
  } catch (error) {
    if (!(error instanceof JobError) && !(error instanceof KubernetesError)) throw error;
    const finding = error instanceof JobError ? { status: 'failed' as const, found: error.message } : failedCall(error);
    return [{ ...finding, found: `${at}: a small job is refused: ${finding.found}` }];
  }
}

/** `check --user`: what holds for one user, and whether it makes sense. */
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import type { Policy } from '../../jobs/context.ts';
import { JobError } from '../../jobs/job-error.ts';
import type { ResolvedJob } from '../../jobs/objects/resolved.ts';
import { allows } from '../../jobs/policy/hardening.ts';
import { imagesOf } from '../../jobs/policy/images.ts';
import { UserLookupError } from '../../system/users.ts';
import { smallJob } from '../command-policy.ts';
import type { Surroundings } from '../command-session.ts';
import { describeSections, describeUser, findPerson, type Person } from '../person.ts';
import { unmatched } from './check-cluster.ts';
import { refusedJob, type Trial, tryJob } from './check-overrides.ts';
import { type Checked, type Finding, failed, ok, only, warning } from './report.ts';

export async function checkUser(files: PolicyFiles, name: string, { users }: Surroundings): Promise<Checked<Person>> {
  try {
    const person = await findPerson(files.profiles, users, name);
    const found = `${describeUser(person)}: ${describeSections(person)}`;
    if (person.user === undefined && person.profile.runAs.value === 'own') {
      const remedy = 'run-as=own needs users of this host: add the user here, or change run-as for him';
      return { findings: [failed(`${found}; his jobs are refused`, remedy)], value: person };
    }
    return { findings: [ok(found)], value: person };
  } catch (error) {
    if (!(error instanceof UserLookupError)) throw error;
    return {
      findings: [failed(error.message, `mend the name services of this host: getent passwd ${name}; id ${name}`)],
    };
  }
}

/** A reference that a registry could have: no blanks, lower case, tag and digest in their places. */
const IMAGE =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

export function checkImages({ profile }: Person): Checked<true> {
  const images = imagesOf(profile);
  const wrong = images.filter((image) => !IMAGE.test(image));
  const findings: Finding[] = wrong.map((image) =>
    warning(`${image} is not the name of an image`, 'correct it: [registry/]name[:tag], in lower case'),
  );
  if (images.length === 0 && !profile.allowUnknownImages.value) {
    findings.push(
      failed(
        'no image is allowed, so that no job can run',
        'container-images, default-container-image or allow-unknown-images=1',
      ),
    );
  }
  if (findings.length > 0) return only(...findings);
  const others = profile.allowUnknownImages.value ? 'any other' : 'no other';
  const byDefault = profile.defaultContainerImage.value;
  return only(
    ok(
      `${images.join(', ') || 'no image is offered'}; ${others}; ${byDefault === undefined ? 'no default' : `default ${byDefault}`}`,
    ),
  );
}

export function checkUserConstraints({ profile }: Person, nodes: readonly Node[]): Checked<true> {
  const findings = unmatched(profile.placementConstraints, nodes);
  const count = profile.placementConstraints.value.length;
  return only(...(findings.length > 0 ? findings : [ok(`${count} offered, each with a node`)]));
}

/** The default image, or else the first that the user may run. */
function anImage({ profile }: Person): string {
  return profile.defaultContainerImage.value || profile.containerImages.value[0] || 'busybox';
}

/** Does each resource profile that the user may pick stay within his maxima? */
export async function checkResourceProfiles(
  person: Person,
  { resourceProfiles }: PolicyFiles,
  policy: Policy,
  surroundings: Surroundings,
): Promise<Checked<true>> {
  const allowed = resourceProfiles.filter(({ id }) => allows(person.profile.resourceProfiles.value, id));
  const findings: Finding[] = [];
  for (const { id } of allowed) {
    const refused = await refusal(policy, surroundings, person, { resourceProfile: id });
    if (refused !== undefined)
      findings.push(
        warning(
          `${id} is offered but refused: ${refused}`,
          'raise the maximum, lower the resource profile, or leave it out of resource-profiles',
        ),
      );
  }
  if (findings.length > 0) return only(...findings);
  if (allowed.length === 0 && !person.profile.allowCustomResources.value) {
    return only(failed('a resource profile must be named, but there is none', 'add one, or allow-custom-resources=1'));
  }
  return only(ok(allowed.length === 0 ? 'no resource profiles' : allowed.map(({ id }) => id).join(', ')));
}

async function refusal(
  policy: Policy,
  surroundings: Surroundings,
  person: Person,
  more: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const request = smallJob(surroundings, person.name, anImage(person), more);
  try {
    await policy.resolve(request, person.name);
    return undefined;
  } catch (error) {
    if (error instanceof JobError) return error.message;
    throw error;
  }
}

/**
 * Does a job with nothing but defaults, or an image where none is the default, pass policy, overrides and, where it can
 * be asked, the API server?
 */
export async function checkUserJob(person: Person, policy: Policy, trial: Trial): Promise<Checked<true>> {
  const { surroundings, api } = trial;
  const image = anImage(person);
  const hasDefault = Boolean(person.profile.defaultContainerImage.value);
  const allowed = `a job with ${hasDefault ? 'nothing but defaults' : `image ${image} and nothing else`} is allowed`;
  const rest = hasDefault ? '' : '; one without an image is refused (no default-container-image)';
  let resolved: ResolvedJob;
  try {
    resolved = await policy.resolve(smallJob(surroundings, person.name, image), person.name);
  } catch (error) {
    if (error instanceof JobError) return { findings: [failed(error.message, 'mend that line of the profiles')] };
    throw error;
  }
  try {
    const warnings = await tryJob(resolved, trial);
    if (api === undefined) return only(ok(`${allowed} (not shown to the API server)${rest}`));
    const found = `${allowed}, and the API server takes it (dry run)${rest}`;
    if (warnings.length === 0) return only(ok(found));
    return only(
      warning(`${found}, with a warning: ${warnings.join('; ')}`, 'see the text; render --user shows the whole job'),
    );
  } catch (error) {
    const { origin } = person.profile.jobJsonOverrides;
    const { finding } = await refusedJob(error, resolved, origin === undefined ? [] : [origin], trial);
    return { findings: [finding] };
  }
}

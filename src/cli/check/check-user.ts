/** Steps of `check --user`: the profile of one user, and whether a job of theirs is accepted. */
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { JobError } from '../../jobs/job-error.ts';
import type { ResolvedJob } from '../../jobs/objects/resolved.ts';
import { allows, imagesOf } from '../../jobs/policy/hardening.ts';
import type { Policy } from '../../jobs/policy/policy.ts';
import { UserLookupError } from '../../system/lookup-slots.ts';
import { neededResources, smallJob } from '../command-policy.ts';
import type { CommandContext } from '../command-session.ts';
import { describeSections, describeUser, readUserReport, type UserReport } from '../user-report.ts';
import { type KnownNodes, unmatched } from './check-cluster.ts';
import { dryRunJob, refusedJob, type Trial } from './check-overrides.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';
import { isImageName } from './check-sections.ts';

export async function checkUser(
  files: PolicyFiles,
  name: string,
  { users }: CommandContext,
): Promise<Checked<UserReport>> {
  try {
    const person = await readUserReport(files.profiles, users, name);
    const found = `${describeUser(person)}: ${describeSections(person)}`;
    if (person.user === undefined && person.profile.runAs.value === 'own') {
      const remedy = 'add the user to this host, or change run-as in the profile: run-as=own needs a uid';
      return { findings: [failure(`${found}; jobs of this user are refused`, remedy)], value: person };
    }
    return { findings: [ok(found)], value: person };
  } catch (error) {
    if (!(error instanceof UserLookupError)) throw error;
    return {
      findings: [
        failure(error.message, `fix the name services of this host; test with: getent passwd ${name}; id ${name}`),
      ],
    };
  }
}

export function checkImages({ profile }: UserReport): Checked<true> {
  const images = imagesOf(profile);
  const wrong = images.filter((image) => !isImageName(image)).length;
  const findings: Finding[] =
    // The step `sections` has a warning for each of them.
    wrong === 0 ? [] : [ok(`${wrong} of ${images.length} images have no valid name, see sections above`)];
  if (images.length === 0 && !profile.allowUnknownImages.value) {
    findings.push(
      failure(
        'no image is allowed; no job can run',
        'set container-images, default-container-image or allow-unknown-images=1',
      ),
    );
  }
  if (findings.length > 0) return only(...findings);
  const others = profile.allowUnknownImages.value ? 'any other image' : 'no other image';
  const byDefault = profile.defaultContainerImage.value;
  return only(
    ok(
      `${images.join(', ') || 'no image is offered'}; ${others}; ${byDefault === undefined ? 'no default' : `default ${byDefault}`}`,
    ),
  );
}

export function checkUserConstraints({ profile }: UserReport, nodes: KnownNodes): Checked<true> {
  const count = profile.placementConstraints.value.length;
  if (nodes === 'unknown') return only(ok(`${count} offered; not compared: no permission to list nodes`));
  const findings = unmatched(profile.placementConstraints, nodes);
  const without = findings.filter(({ status }) => status !== 'ok').length;
  const orLater = findings.length > 0 ? ', or nodes that an autoscaler adds' : '';
  if (without === 0) return only(ok(`${count} offered; each matches a node${orLater}`));
  // The step `constraints` has a warning for each of them.
  return only(ok(`${count} offered; ${without} of them match no node, see constraints above`));
}

/** The default image, or the first allowed one. */
function anImage({ profile }: UserReport): string {
  return profile.defaultContainerImage.value || profile.containerImages.value[0] || 'busybox';
}

/** Is each resource profile that the user may pick within the user's maxima? */
export async function checkResourceProfiles(
  person: UserReport,
  { resourceProfiles }: PolicyFiles,
  policy: Policy,
  context: CommandContext,
): Promise<Checked<true>> {
  const allowed = resourceProfiles.filter(({ id }) => allows(person.profile.resourceProfiles.value, id));
  const findings: Finding[] = [];
  for (const { id } of allowed) {
    const refused = await refusal(policy, context, person, { resourceProfile: id });
    if (refused !== undefined)
      findings.push(
        warning(
          `${id} is offered, but a job with it is refused: ${refused}`,
          'raise the maximum, reduce the resource profile, or remove it from resource-profiles',
        ),
      );
  }
  if (findings.length > 0) return only(...findings);
  if (allowed.length === 0 && !person.profile.allowCustomResources.value) {
    return only(
      failure(
        'a job must name a resource profile, but there is none',
        'add a resource profile, or set allow-custom-resources=1',
      ),
    );
  }
  return only(ok(allowed.length === 0 ? 'no resource profiles' : allowed.map(({ id }) => id).join(', ')));
}

async function refusal(
  policy: Policy,
  context: CommandContext,
  person: UserReport,
  more: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const request = smallJob(context, person.name, anImage(person), more);
  try {
    await policy.resolve(request, person.name);
    return undefined;
  } catch (error) {
    if (error instanceof JobError) return error.message;
    throw error;
  }
}

/**
 * Is a job with only default settings, and an image if there is no default, accepted by the policy, the overrides and, if it
 * responds, the API server?
 */
export async function checkUserJob(
  person: UserReport,
  { resourceProfiles }: PolicyFiles,
  policy: Policy,
  trial: Trial,
): Promise<Checked<true>> {
  const { context, api } = trial;
  const image = anImage(person);
  const hasDefault = Boolean(person.profile.defaultContainerImage.value);
  const allowed = `a job with ${hasDefault ? 'default settings' : `image ${image} and default settings`} is allowed`;
  const rest = hasDefault ? '' : '; one without an image is refused (no default-container-image)';
  let resolved: ResolvedJob;
  try {
    const more = neededResources(person.profile, resourceProfiles);
    resolved = await policy.resolve(smallJob(context, person.name, image, more), person.name);
  } catch (error) {
    if (error instanceof JobError) return { findings: [failure(error.message, 'fix this line of the profiles')] };
    throw error;
  }
  try {
    const warnings = await dryRunJob(resolved, trial);
    if (api === undefined) return only(ok(`${allowed} (not sent to the API server)${rest}`));
    const found = `${allowed}, and the API server accepts it (dry run)${rest}`;
    if (warnings.length === 0) return only(ok(found));
    return only(
      warning(
        `${found}, with a warning: ${warnings.join('; ')}`,
        `rstudio-kubernetes-launcher render --user ${person.name} prints the job`,
      ),
    );
  } catch (error) {
    const { origin } = person.profile.jobJsonOverrides;
    const { finding } = await refusedJob(error, resolved, origin === undefined ? [] : [origin], trial);
    return { findings: [finding] };
  }
}

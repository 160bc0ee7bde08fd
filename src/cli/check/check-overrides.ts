/** Step of `check` about `job-json-overrides`: applies each list to a small job and sends it to the API server as a dry run. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Options } from '../../config/options/options.ts';
import type { OverrideReference } from '../../config/profiles/override-files.ts';
import { readOverrides } from '../../config/profiles/override-files.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { type EffectiveProfile, effectiveProfile, type ProfileSection } from '../../config/profiles/profiles.ts';
import { ConfigError, place } from '../../config/text/problem.ts';
import type { Setting } from '../../config/text/settings.ts';
import { JobError } from '../../jobs/job-error.ts';
import type { ResolvedJob } from '../../jobs/objects/resolved.ts';
import { newJob } from '../../jobs/operations/submit.ts';
import { profileSettings } from '../../jobs/policy/policy.ts';
import { openTemplates } from '../../jobs/templates.ts';
import { type Client, JOBS, PODS } from '../../kubernetes/contract.ts';
import { isMissingPermission, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { smallJob } from '../command-policy.ts';
import type { CommandContext } from '../command-session.ts';
import { NEWEST_MINOR } from '../version.ts';
import { failedCall } from './check-api.ts';
import { problemFindings } from './check-configuration.ts';
import { type Checked, type Finding, failure, ok, only } from './check-report.ts';

/** What a dry run of a job needs. */
export interface Trial {
  readonly options: Options;
  readonly context: CommandContext;
  /** The API server, if it responds. */
  readonly api: { readonly client: Client; readonly minor: number } | undefined;
}

type Overrides = Setting<readonly OverrideReference[]>;

/** Sends a job to the API server as a dry run, if there is one; resolves with its warnings. Rejects with JobError or KubernetesError. */
export async function dryRunJob(resolved: ResolvedJob, { options, context, api }: Trial): Promise<readonly string[]> {
  const templates = openTemplates(options, context.clock.now());
  const job = await newJob(resolved, options, context.random, templates).manifest(api?.minor ?? NEWEST_MINOR);
  if (api === undefined) return [];
  const { warnings } = await api.client.create(JOBS, job, { dryRun: true, fieldValidation: 'Strict' });
  await dryRunPod(job, api.client);
  return warnings;
}

/**
 * Sends the pod of a job as a dry run: PodSecurity levels and webhooks of pods refuse the pod, not the Job. The plugin does not
 * need the permission to create pods; without it they are not verified.
 */
async function dryRunPod({ metadata, spec }: Job, client: Client): Promise<void> {
  const { metadata: labels, spec: pod } = spec?.template ?? {};
  try {
    const name = metadata?.name ?? '';
    await client.create(PODS, { metadata: { ...labels, name }, ...(pod && { spec: pod }) }, { dryRun: true });
  } catch (error) {
    if (!isMissingPermission(error) && !NOT_THE_POD.test(error instanceof Error ? error.message : '')) throw error;
  }
}

/** Step `named-objects` reports missing objects; a sample job has no limits, which a quota may require; a webhook may refuse dry runs. */
const NOT_THE_POD =
  /error looking up service account|no PriorityClass with name|quota|must specify|does not support dry run/;

/** A failure for a refused job; it names the place of the overrides if the job is accepted without them. Other errors pass. */
export async function refusedJob(
  error: unknown,
  resolved: ResolvedJob,
  origins: readonly NonNullable<Overrides['origin']>[],
  trial: Trial,
): Promise<{ readonly finding: Finding; readonly byOverrides: boolean }> {
  const isLocal = error instanceof JobError;
  if (!isLocal && !(error instanceof KubernetesError)) throw error;
  if (!(await isAcceptedWithout(resolved, trial))) {
    const finding = isLocal ? failure(error.message, 'fix this line of the profiles') : failedCall(error);
    return { finding, byOverrides: false };
  }
  const at = origins.map(place).join(', ');
  const finding = isLocal
    ? failure(`${at}: ${error.message}`, 'fix this line of the profiles')
    : failure(`${at}: job-json-overrides: ${error.message}`, 'fix this line of the profiles, or the file it names');
  return { finding, byOverrides: true };
}

async function isAcceptedWithout(resolved: ResolvedJob, trial: Trial): Promise<boolean> {
  if ((resolved.overrides ?? []).length === 0) return false;
  try {
    await dryRunJob({ ...resolved, overrides: [] }, trial);
    return true;
  } catch (error) {
    if (error instanceof JobError || error instanceof KubernetesError) return false;
    throw error;
  }
}

/** Equal lists of several sections are tried once. */
interface Written {
  readonly section: ProfileSection;
  readonly value: readonly OverrideReference[];
  readonly origins: NonNullable<Overrides['origin']>[];
}

/** Each list of overrides in the profiles, with its places. */
export function writtenOverrides({ profiles }: PolicyFiles): readonly Written[] {
  const found = new Map<string, Written>();
  for (const section of profiles.sections) {
    const { value, origin } = (section.settings.get('job-json-overrides') ?? { value: [] }) as Overrides;
    if (value.length === 0 || origin === undefined) continue;
    const key = JSON.stringify(value);
    const same = found.get(key);
    if (same === undefined) found.set(key, { section, value, origins: [origin] });
    else same.origins.push(origin);
  }
  return [...found.values()];
}

/** A small job of a user of the section, with the pod settings of its profile and without its overrides. */
export function sectionJob(
  section: ProfileSection,
  { profiles }: PolicyFiles,
  context: CommandContext,
  imageOf: (profile: EffectiveProfile) => string,
): ResolvedJob {
  const { kind, name } = section;
  const profile = effectiveProfile(profiles, {
    names: kind === 'user' ? [name] : [],
    inGroup: (group) => kind === 'group' && group === name,
  });
  const image = imageOf(profile);
  const request = smallJob(context, kind === 'user' ? name : 'sample-user', image);
  return {
    request,
    image,
    limits: {},
    requests: {},
    nvidiaGpus: 0,
    amdGpus: 0,
    checkResult: () => {},
    ...profileSettings(request, profile, undefined),
    overrides: [],
  };
}

function jobOf({ section, value, origins }: Written, files: PolicyFiles, context: CommandContext): ResolvedJob {
  const [origin] = origins;
  const overrides = readOverrides(origin === undefined ? { value } : { value, origin });
  return { ...sectionJob(section, files, context, () => 'busybox'), overrides };
}

/** Is a job accepted that has the overrides of a section, and nothing else? For every section. */
export async function checkOverrideLists(
  written: readonly Written[],
  files: PolicyFiles,
  trial: Trial,
): Promise<Checked<true>> {
  const findings: Finding[] = [];
  for (const each of written) {
    try {
      const resolved = jobOf(each, files, trial.context);
      try {
        await dryRunJob(resolved, trial);
      } catch (error) {
        const { finding, byOverrides } = await refusedJob(error, resolved, each.origins, trial);
        // Other steps report what is refused without overrides as well.
        if (byOverrides) findings.push(finding);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      findings.push(...problemFindings(error, true));
    }
  }
  if (findings.length > 0) return { findings };
  const which = written.length === 1 ? 'the overrides' : `each of ${written.length} lists of overrides`;
  const sent =
    trial.api === undefined ? ' (not sent to the API server)' : ', and the API server accepts the job (dry run)';
  return only(ok(`${which} of the profiles can be applied${sent}`));
}

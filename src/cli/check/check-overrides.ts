/** What `job-json-overrides` make of a job, shown to the API server: a slip of the pen there stops every job of its users. */
import type { Options } from '../../config/options/options.ts';
import { readOverrides } from '../../config/profiles/override-files.ts';
import type { OverrideReference } from '../../config/profiles/override-references.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { effectiveProfile, type ProfileSection, type Setting } from '../../config/profiles/profiles.ts';
import { ConfigError, place } from '../../config/text/problem.ts';
import { JobError } from '../../jobs/job-error.ts';
import type { ResolvedJob } from '../../jobs/objects/resolved.ts';
import { newJob } from '../../jobs/operations/new-job.ts';
import { podExtras } from '../../jobs/policy/policy.ts';
import { type Client, JOBS } from '../../kubernetes/contract.ts';
import { KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { smallJob } from '../command-policy.ts';
import type { Surroundings } from '../command-session.ts';
import { NEWEST_MINOR } from '../version.ts';
import { failedCall } from './check-api.ts';
import { unusable } from './check-configuration.ts';
import { type Checked, type Finding, failed, ok, only } from './report.ts';

/** With what a job is tried. */
export interface Trial {
  readonly options: Options;
  readonly surroundings: Surroundings;
  /** The API server, if it answers. */
  readonly api: { readonly client: Client; readonly minor: number } | undefined;
}

type Overrides = Setting<readonly OverrideReference[]>;

/** Shows a job to the API server, if there is one, which stores nothing; what it warned of. Rejects with JobError or KubernetesError. */
export async function tryJob(resolved: ResolvedJob, { options, surroundings, api }: Trial): Promise<readonly string[]> {
  const job = newJob(resolved, options, surroundings.random).manifest(api?.minor ?? NEWEST_MINOR);
  if (api === undefined) return [];
  return (await api.client.create(JOBS, job, { dryRun: true, fieldValidation: 'Strict' })).warnings;
}

/** Why a job was refused; with the place of its overrides, if it is taken without them. Other errors pass. */
export async function refusedJob(
  error: unknown,
  resolved: ResolvedJob,
  origins: readonly NonNullable<Overrides['origin']>[],
  trial: Trial,
): Promise<{ readonly finding: Finding; readonly byOverrides: boolean }> {
  const isLocal = error instanceof JobError;
  if (!isLocal && !(error instanceof KubernetesError)) throw error;
  if (!(await isTakenWithout(resolved, trial))) {
    const finding = isLocal ? failed(error.message, 'mend that line of the profiles') : failedCall(error);
    return { finding, byOverrides: false };
  }
  const at = origins.map(place).join(', ');
  const finding = isLocal
    ? failed(`${at}: ${error.message}`, 'mend that line of the profiles')
    : failed(
        `${at}: job-json-overrides: ${error.message}`,
        'mend that line of the profiles, or the file that it names',
      );
  return { finding, byOverrides: true };
}

async function isTakenWithout(resolved: ResolvedJob, trial: Trial): Promise<boolean> {
  if ((resolved.overrides ?? []).length === 0) return false;
  try {
    await tryJob({ ...resolved, overrides: [] }, trial);
    return true;
  } catch (error) {
    if (error instanceof JobError || error instanceof KubernetesError) return false;
    throw error;
  }
}

/** Sections that say the same are tried once. */
interface Written {
  readonly section: ProfileSection;
  readonly value: readonly OverrideReference[];
  readonly origins: NonNullable<Overrides['origin']>[];
}

/** Each list of overrides that the profiles hold, and where. */
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

/** A small job of somebody in the section, with what its profile gives to pods. */
function jobOf(
  { section, value, origins }: Written,
  { profiles }: PolicyFiles,
  surroundings: Surroundings,
): ResolvedJob {
  const { kind, name } = section;
  const profile = effectiveProfile(profiles, {
    names: kind === 'user' ? [name] : [],
    inGroup: (group) => kind === 'group' && group === name,
  });
  const image = 'busybox';
  const request = smallJob(surroundings, kind === 'user' ? name : 'somebody', image);
  const [origin] = origins;
  return {
    request,
    image,
    limits: {},
    requests: {},
    nvidiaGpus: 0,
    amdGpus: 0,
    pod: podExtras(request, profile, undefined),
    overrides: readOverrides(origin === undefined ? { value } : { value, origin }),
  };
}

/** Are the overrides of all sections such that a job with them, and nothing else, is taken? */
export async function checkOverrides(
  written: readonly Written[],
  files: PolicyFiles,
  trial: Trial,
): Promise<Checked<true>> {
  const findings: Finding[] = [];
  for (const each of written) {
    try {
      const resolved = jobOf(each, files, trial.surroundings);
      try {
        await tryJob(resolved, trial);
      } catch (error) {
        const { finding, byOverrides } = await refusedJob(error, resolved, each.origins, trial);
        // What is refused without overrides, too, is told by other steps.
        if (byOverrides) findings.push(finding);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      findings.push(...unusable(error, true));
    }
  }
  if (findings.length > 0) return { findings };
  const which = written.length === 1 ? 'the overrides' : `each of ${written.length} lists of overrides`;
  const shown =
    trial.api === undefined ? ' (not shown to the API server)' : ', and the API server takes the job (dry run)';
  return only(ok(`${which} of the profiles can be applied${shown}`));
}

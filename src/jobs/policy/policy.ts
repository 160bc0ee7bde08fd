/**
 * Policy: what a launcher job becomes under its user's profile (configuration.md sections 2, 2.1 and 3) or why it is
 * refused, who may see a job, and for which user a requester may submit.
 */
import { type Override, readOverrides } from '../../config/profiles/override-files.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { fillPlaceholders, type KeyValue } from '../../config/profiles/profile-kinds.ts';
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import { CUSTOM, type ResourceProfile } from '../../config/profiles/resource-profiles.ts';
import { type UserProfile, userProfile } from '../../config/profiles/user-profile.ts';
import { isLabelValue } from '../../config/text/kinds.ts';
import { ConfigError } from '../../config/text/problem.ts';
import type { TokenSubject } from '../../kubernetes/http/credentials.ts';
import { UserLookupError } from '../../system/lookup-slots.ts';
import type { Users } from '../../system/users.ts';
import type { ClusterInfo, Requester } from '../contract.ts';
import type { JobRequest, PlacementConstraint } from '../job.ts';
import { JobError, refuse, refuseBy } from '../job-error.ts';
import { labelValue } from '../objects/names.ts';
import type { ResolvedJob } from '../objects/resolved.ts';
import { isNamedProfile, resolveAmounts } from './amounts.ts';
import { clusterInfo } from './cluster-info.ts';
import { allows, checkHardening, checkImage, type PolicySubject, runAs } from './hardening.ts';
import { checkRenderedJob } from './rendered-job.ts';

type KeyValues = Readonly<Record<string, string>>;

export interface PolicyInput extends PolicySubject {
  /** Its `user` is known. */
  readonly request: JobRequest;
  readonly requester: Requester;
  /** All there are, in the order of the file. */
  readonly resourceProfiles: readonly ResourceProfile[];
  /** What the profile's override files hold now. */
  readonly overrides: readonly Override[];
}

/**
 * The job as it is to be made. Throws JobError 'invalid-request': a sentence that names the value, what is allowed, and
 * the file and line that say so.
 */
export function resolveJob(input: PolicyInput): ResolvedJob {
  const { request, profile, overrides } = input;
  const given = resourceProfileOf(input);
  const resourceProfile = given?.id ?? request.resourceProfile;
  const image = imageOf(request, profile);
  checkHardening(request, input);
  return {
    request: {
      ...request,
      resourceProfile,
      container: runAs(request, image, input),
      // A form that was left empty asks for nothing.
      placementConstraints: request.placementConstraints.filter(({ value }) => value !== ''),
    },
    image,
    ...resolveAmounts(request.resourceLimits, profile, given),
    ...profileSettings({ ...request, resourceProfile, group: input.group }, profile, given),
    overrides,
    checkResult: (job, fromJob) => checkRenderedJob(job, fromJob, request, input, isNamedProfile(given, profile)),
  };
}

/** The resource profile of the job; undefined: the limits are the job's own. */
function resourceProfileOf(input: PolicyInput): ResourceProfile | undefined {
  const { request, requester, profile, resourceProfiles } = input;
  const id = request.resourceProfile || CUSTOM;
  const isFree = request.systemJob && requester === '*';
  if (id === CUSTOM && (profile.allowCustomResources.value || isFree)) return undefined;
  const byDefault = id === CUSTOM ? profile.defaultResourceProfile.value : undefined;
  if (id === CUSTOM && byDefault === undefined)
    return refuseBy('The job must name a resource profile', 'allow-custom-resources', profile);
  const found = resourceProfiles.find((each) => each.id === (byDefault ?? id));
  if (found === undefined && byDefault !== undefined)
    return refuseBy(`There is no resource profile ${byDefault}`, 'default-resource-profile', profile);
  if (found === undefined) return refuse(`There is no resource profile ${id}.`);
  if (isFree || allows(profile.resourceProfiles.value, found.id)) return found;
  return refuseBy(`Resource profile ${found.id} is not allowed`, 'resource-profiles', profile);
}

function imageOf(request: JobRequest, profile: EffectiveProfile): string {
  const image = request.container?.image || profile.defaultContainerImage.value;
  if (image === undefined) {
    return refuse('The job names no container image, and there is no default-container-image.');
  }
  for (const each of [image, ...request.initContainers.map((init) => init.image)]) checkImage(each, profile);
  return image;
}

/** What a job gets from the profile of its user and from its resource profile. The user is in the group of the request. */
export function profileSettings(
  request: JobRequest,
  profile: EffectiveProfile,
  given: ResourceProfile | undefined,
): Pick<ResolvedJob, 'profile' | 'nodeSelector' | 'tolerations' | 'labels' | 'annotations'> {
  const facts = {
    user: request.user,
    group: request.group,
    name: request.name,
    'resource-profile': request.resourceProfile || CUSTOM,
  };
  const filled = (pairs: readonly KeyValue[], make: (text: string) => string): KeyValues =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, make(fillPlaceholders(value, facts))]));
  return {
    profile,
    nodeSelector: nodeSelector(request, profile, given),
    tolerations: [...profile.tolerations.value, ...(given?.tolerations?.value ?? [])],
    labels: filled(profile.jobLabels.value, labelValue),
    annotations: filled(profile.jobAnnotations.value, (text) => text),
  };
}

/** Node labels to match: the job's constraints, those of its resource profile, and the profile's. */
function nodeSelector(request: JobRequest, profile: EffectiveProfile, given: ResourceProfile | undefined): KeyValues {
  const fixed = {
    ...Object.fromEntries((given?.placementConstraints?.value ?? []).map(({ name, value = '' }) => [name, value])),
    ...Object.fromEntries((given?.nodeSelector?.value ?? []).map(({ key, value }) => [key, value])),
    ...Object.fromEntries(profile.nodeSelector.value.map(({ key, value }) => [key, value])),
  };
  const chosen: Record<string, string> = {};
  for (const constraint of request.placementConstraints) {
    const { name, value } = constraint;
    checkConstraint(constraint, profile);
    if (value === '') continue;
    if (Object.hasOwn(chosen, name) && chosen[name] !== value) refuse(`Placement constraint ${name} has two values.`);
    if (Object.hasOwn(fixed, name) && fixed[name] !== value) {
      refuse(`Placement constraint ${name}: the administrator has set it to "${fixed[name]}".`);
    }
    chosen[name] = value;
  }
  return { ...chosen, ...fixed };
}

/** Throws for a constraint that is not offered to the user, or not with this value. */
function checkConstraint({ name, value }: PlacementConstraint, profile: EffectiveProfile): void {
  const choices = profile.placementConstraints.value.filter((choice) => choice.name === name);
  if (choices.length === 0) refuseBy(`Placement constraint ${name} is not offered`, 'placement-constraints', profile);
  if (value === '') return;
  if (!choices.some((choice) => choice.value === undefined || choice.value === value)) {
    const offered = choices.map((choice) => choice.value).join(', ');
    refuseBy(`Placement constraint ${name}: "${value}" is not one of ${offered}`, 'placement-constraints', profile);
  }
  if (!isLabelValue(value)) refuse(`Placement constraint ${name}: "${value}" cannot be the value of a node label.`);
}

/** A job without an owner is visible to administrators only. */
export function maySee(owner: string, requester: Requester): boolean {
  return requester === '*' || (owner !== '' && owner === requester);
}

/** An ordinary user submits own jobs; an administrator those of the user that the job names (launcher-plugin-api.md 7.3). */
export function withOwner(request: JobRequest, requester: Requester): JobRequest {
  const user = request.user === '' && requester !== '*' ? requester : request.user;
  if (user === '' || user === '*')
    throw new JobError('invalid-request', 'job.user names nobody; a job needs a user to own it');
  if (requester !== '*' && user !== requester)
    throw new JobError(
      'invalid-request',
      'job.user is another user than username; only an administrator may submit for others',
    );
  return user === request.user ? request : { ...request, user };
}

/** What administrators allow (configuration.md section 2). */
export interface Policy {
  /** The job as it is to be made. Throws JobError. */
  readonly resolve: (request: JobRequest, requester: Requester) => Promise<ResolvedJob>;
  readonly clusterInfo: (requester: Requester) => Promise<ClusterInfo>;
  /** Profile key `fail-pending-reasons` of a user. */
  readonly failPendingReasons: (user: string) => Promise<readonly string[]>;
}

interface PolicyDependencies {
  /** The current files; a reload replaces them. */
  readonly files: () => PolicyFiles;
  readonly users: Users;
  /** The plugin's own service account, if it is known to be one of the jobs' namespace. */
  readonly ownAccount: () => TokenSubject | undefined;
  /** Names of the namespace's service accounts; undefined: listing them is forbidden. */
  readonly serviceAccounts: () => Promise<readonly string[] | undefined>;
}

/**
 * The policy of the configuration files. Refuses with JobError 'invalid-request' what is not allowed, and with 'unknown'
 * what is a failure of this host: name services without an answer, a malformed override file.
 */
export function createPolicy({ files, users, ownAccount, serviceAccounts }: PolicyDependencies): Policy {
  return {
    resolve: async (request, requester) => {
      const { profiles, resourceProfiles } = files();
      const found = await lookUp(async () => {
        const known = await userProfile(profiles, users, request.user);
        const overrides = readOverrides(known.profile.jobJsonOverrides);
        return { ...known, overrides, group: await confirmedGroup(request, known.profile, users) };
      });
      return resolveJob({ ...found, request, requester, resourceProfiles, ownAccount: ownAccount() });
    },
    clusterInfo: async (requester) => {
      const { profiles, resourceProfiles } = files();
      const { profile }: UserProfile = await lookUp(() => userProfile(profiles, users, requester));
      const facts = { profile, resourceProfiles, ownAccount: ownAccount() };
      return clusterInfo({ ...facts, serviceAccounts: await serviceAccounts() });
    },
    failPendingReasons: async (user) => {
      const { profile } = await lookUp(() => userProfile(files().profiles, users, user));
      return profile.failPendingReasons.value;
    },
  };
}

/** The group that the job names, as the directory writes it, if names or labels depend on it and its user is in it; else ''. */
async function confirmedGroup({ user, group }: JobRequest, profile: EffectiveProfile, users: Users): Promise<string> {
  const { claims, configMaps, jobLabels, jobAnnotations } = profile;
  const names = [claims.value, configMaps.value].flatMap((allowed) => (allowed === 'any' ? [] : allowed));
  const values = [...jobLabels.value, ...jobAnnotations.value].map(({ value }) => value);
  const depends = [...names, ...values].some((text) => text.includes('{group}'));
  if (!depends || group === '') return '';
  const member = await users.user(user);
  const found = member && (await users.group(group, user));
  return found !== undefined && member?.groups.has(found.gid) === true ? found.name : '';
}

/** Name-service and file errors are server-side failures, not invalid requests. */
async function lookUp<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof UserLookupError || cause instanceof ConfigError) {
      throw new JobError('unknown', cause.message, { cause });
    }
    throw cause;
  }
}

/**
 * What becomes of a launcher job under its user's profile (configuration.md sections 2, 2.1 and 3), or why it
 * is refused. Pure.
 */
import type { Override } from '../../config/profiles/override-files.ts';
import { fillPlaceholders, type KeyValue } from '../../config/profiles/profile-kinds.ts';
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import { CUSTOM, type ResourceProfile } from '../../config/profiles/resource-profiles.ts';
import { isLabelValue } from '../../config/text/values.ts';
import type { Requester } from '../contract.ts';
import type { JobRequest, PlacementConstraint } from '../job.ts';
import { refuse, refuseBy } from '../job-error.ts';
import { labelValue } from '../objects/names.ts';
import type { PodExtras, ResolvedJob } from '../objects/resolved.ts';
import { resolveAmounts } from './amounts.ts';
import { allows, type Circumstances, checkHardening } from './hardening.ts';
import { checkImage } from './images.ts';
import { runAs } from './run-as.ts';

type KeyValues = Readonly<Record<string, string>>;

export interface PolicyInput extends Circumstances {
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
  const image = imageOf(request, profile);
  checkHardening(request, input);
  return {
    request: {
      ...request,
      container: runAs(request, image, input),
      // A form that was left empty asks for nothing.
      placementConstraints: request.placementConstraints.filter(({ value }) => value !== ''),
    },
    image,
    ...resolveAmounts(request.resourceLimits, profile, given),
    pod: podExtras(request, profile, given),
    overrides,
  };
}

/** The resource profile that gives the limits; undefined: the job's own values. */
function resourceProfileOf(input: PolicyInput): ResourceProfile | undefined {
  const { request, requester, profile, resourceProfiles } = input;
  const id = request.resourceProfile || CUSTOM;
  const isFree = request.systemJob && requester === '*';
  if (id === CUSTOM) {
    if (profile.allowCustomResources.value || isFree) return undefined;
    return refuseBy('The job must name a resource profile', 'allow-custom-resources', profile);
  }
  const found = resourceProfiles.find((each) => each.id === id);
  if (found === undefined) return refuse(`There is no resource profile ${id}.`);
  if (isFree || allows(profile.resourceProfiles.value, id)) return found;
  return refuseBy(`Resource profile ${id} is not allowed`, 'resource-profiles', profile);
}

function imageOf(request: JobRequest, profile: EffectiveProfile): string {
  const image = request.container?.image || profile.defaultContainerImage.value;
  if (image === undefined) {
    return refuse('The job names no container image, and there is no default-container-image.');
  }
  for (const each of [image, ...request.initContainers.map((init) => init.image)]) checkImage(each, profile);
  return image;
}

/** What the profile adds to the pod of a job. */
export function podExtras(
  request: JobRequest,
  profile: EffectiveProfile,
  given: ResourceProfile | undefined,
): PodExtras {
  const { imagePullPolicy, serviceAccount, automountServiceAccountToken: automount, priorityClass } = profile;
  const facts = {
    user: request.user,
    group: request.group,
    name: request.name,
    'resource-profile': request.resourceProfile || CUSTOM,
  };
  const filled = (pairs: readonly KeyValue[], make: (text: string) => string): KeyValues =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, make(fillPlaceholders(value, facts))]));
  return {
    ...(imagePullPolicy.value === undefined ? {} : { imagePullPolicy: imagePullPolicy.value }),
    imagePullSecrets: profile.imagePullSecrets.value,
    ...(serviceAccount.value === undefined ? {} : { serviceAccount: serviceAccount.value }),
    ...(automount.value === 'auto' ? {} : { automountServiceAccountToken: automount.value }),
    tolerations: profile.tolerations.value,
    nodeSelector: nodeSelector(request, profile, given),
    ...(priorityClass.value === undefined ? {} : { priorityClass: priorityClass.value }),
    runAsNonRoot: profile.runAsNonRoot.value,
    dropCapabilities: profile.dropCapabilities.value,
    restricted: profile.podSecurity.value === 'restricted',
    activeDeadlineSeconds: profile.activeDeadlineSeconds.value,
    labels: filled(profile.jobLabels.value, labelValue),
    annotations: filled(profile.jobAnnotations.value, (text) => text),
  };
}

/** Node labels to match: the job's constraints, those of its resource profile, and the profile's. */
function nodeSelector(request: JobRequest, profile: EffectiveProfile, given: ResourceProfile | undefined): KeyValues {
  const fixed = {
    ...Object.fromEntries((given?.placementConstraints?.value ?? []).map(({ name, value = '' }) => [name, value])),
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

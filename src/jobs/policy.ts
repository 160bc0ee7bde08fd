/**
 * What becomes of a launcher job under its user's profile (configuration.md sections 2, 2.1 and 3): everything the
 * manifest needs beyond the request itself, or a refusal. Pure.
 */
import type { PodSecurityContext, SecurityContext, Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { Override } from '../config/overrides.ts';
import type { EffectiveProfile } from '../config/profiles.ts';
import { CUSTOM, type ResourceProfile } from '../config/resource-profiles.ts';
import { isLabelValue } from '../config/values.ts';
import { resolveAmounts } from './amounts.ts';
import type { Requester } from './contract.ts';
import { accountOf, type Circumstances, checkHardening, secretVariables } from './hardening.ts';
import type { JobRequest, PlacementConstraint } from './job.ts';
import { labelsAndAnnotations } from './metadata.ts';
import { securityContexts } from './pod-security.ts';
import { by, refuse, refuseBy } from './refusal.ts';

/** Labels or annotations by key. */
export type KeyValues = Readonly<Record<string, string>>;

/** A variable of the environment that comes out of a Secret. */
export interface SecretVariable {
  readonly name: string;
  readonly secret: string;
  readonly key: string;
}

/** CPU in thousandths, memory in MB (10^6 bytes), whole and above 0; absent: not set. */
export interface ComputeAmounts {
  readonly cpuMillis?: number;
  readonly memoryMb?: number;
}

/** A request that is allowed, with what it amounts to. */
export interface ResolvedJob {
  /** As it came; what is below counts where both say something. */
  readonly request: JobRequest;
  readonly image: string;
  readonly limits: ComputeAmounts & { readonly nvidiaGpus?: number; readonly amdGpus?: number };
  readonly requests: ComputeAmounts;
  /** Placement constraints of job, resource profile and profile. */
  readonly nodeSelector: KeyValues;
  readonly tolerations: readonly Toleration[];
  /** Undefined: the namespace's default account. */
  readonly serviceAccount: string | undefined;
  readonly automountServiceAccountToken: boolean;
  /** From `config` entries named `secret`. */
  readonly secretVariables: readonly SecretVariable[];
  /** Of the pod: users, groups, and what holds for all its containers. Empty: nothing to set. */
  readonly podSecurityContext: PodSecurityContext;
  /** Of the job's container. Empty: nothing to set. */
  readonly securityContext: SecurityContext;
  /** Of each init container. Empty: nothing to set. */
  readonly initSecurityContext: SecurityContext;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never' | undefined;
  readonly imagePullSecrets: readonly string[];
  readonly priorityClass: string | undefined;
  /** For the pod template; at least 2. */
  readonly activeDeadlineSeconds: number | undefined;
  /** From the profile and the job's metadata; keys of ours are not among them. */
  readonly labels: { readonly job: KeyValues; readonly pod: KeyValues; readonly service: KeyValues };
  readonly annotations: { readonly job: KeyValues; readonly pod: KeyValues; readonly service: KeyValues };
  /** To be applied (overrides.ts) to the generated Job, in this order. */
  readonly overrides: readonly Override[];
}

export interface PolicyInput extends Circumstances {
  /** Its `user` is known. */
  readonly request: JobRequest;
  readonly requester: Requester;
  /** All there are, in the order of the file. */
  readonly resourceProfiles: readonly ResourceProfile[];
  /** What the profile's override files hold now. */
  readonly overrides: readonly Override[];
}

/** A deadline of 1 is how a job is stopped (kubernetes-objects.md section 5). */
const SHORTEST_DEADLINE = 2;

/**
 * The job as it is to be made, its overrides given. Throws JobError 'invalid-request': a sentence that names the value,
 * what is allowed, and the file and line that say so.
 */
export function resolveJob(input: PolicyInput): ResolvedJob {
  const { request, profile } = input;
  const given = resourceProfileOf(input);
  const image = imageOf(request, profile);
  checkHardening(request, input);
  const named = accountOf(request.config) ?? profile.serviceAccount.value;
  const automount = profile.automountServiceAccountToken.value;
  const deadline = profile.activeDeadlineSeconds.value;
  return {
    request,
    image,
    ...resolveAmounts(request.resourceLimits, profile, given),
    nodeSelector: nodeSelector(request, profile, given),
    tolerations: profile.tolerations.value,
    serviceAccount: named,
    automountServiceAccountToken: automount === 'auto' ? named !== undefined : automount,
    secretVariables: secretVariables(request, profile),
    ...securityContexts(request, input),
    imagePullPolicy: profile.imagePullPolicy.value,
    imagePullSecrets: profile.imagePullSecrets.value,
    priorityClass: profile.priorityClass.value,
    activeDeadlineSeconds: deadline === 0 ? undefined : Math.max(SHORTEST_DEADLINE, deadline),
    ...labelsAndAnnotations(request, profile),
    overrides: input.overrides,
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
  if (isFree || allowsResourceProfile(profile, id)) return found;
  return refuseBy(`Resource profile ${id} is not allowed`, 'resource-profiles', profile);
}

/** May the user pick this resource profile? */
export function allowsResourceProfile(profile: EffectiveProfile, id: string): boolean {
  const allowed = profile.resourceProfiles.value;
  return allowed === 'any' || allowed.includes(id);
}

function imageOf(request: JobRequest, profile: EffectiveProfile): string {
  const image = request.container?.image || profile.defaultContainerImage.value;
  if (image === undefined) {
    return refuse('The job names no container image, and there is no default-container-image.');
  }
  for (const each of [image, ...request.initContainers.map((init) => init.image)]) {
    if (!profile.allowUnknownImages.value && !imagesOf(profile).includes(each)) {
      refuse(
        `Image ${each} is not one of ${imagesOf(profile).join(', ') || 'no images'} (${by('container-images', profile.containerImages)}; ${by('allow-unknown-images', profile.allowUnknownImages)}).`,
      );
    }
  }
  return image;
}

/** The images that a user sees; the default one is always among them. */
export function imagesOf(profile: EffectiveProfile): readonly string[] {
  const byDefault = profile.defaultContainerImage.value;
  return [...new Set([...profile.containerImages.value, ...(byDefault === undefined ? [] : [byDefault])])];
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
    // A form that was left empty.
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

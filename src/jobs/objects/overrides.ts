/**
 * Puts the values of `job-json-overrides` into a generated Job, in the order written and after everything else
 * (configuration.md section 4).
 */
import jsonpointer from 'jsonpointer';
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { Override } from '../../config/profiles/override-files.ts';
import { isReserved } from '../../config/profiles/profile-kinds.ts';
import { JobError } from '../job-error.ts';
import { CONTAINER_NAME } from './annotations.ts';

/**
 * A copy of the Job with the overrides in it. Throws JobError 'invalid-request' naming the override that has no place in
 * this Job, or that changes what the plugin needs to find and follow the job.
 */
export function applyOverrides(job: KubernetesJob, overrides: readonly Override[]): KubernetesJob {
  if (overrides.length === 0) return job;
  const changed = structuredClone(job);
  const before = essentials(changed);
  for (const override of overrides) {
    put(changed, override);
    const after = essentials(changed);
    const lost = Object.keys(before).find((name) => before[name] !== after[name]);
    if (lost !== undefined) throw refusal(override, `it changes ${lost}, which the plugin needs to follow the job`);
  }
  return changed;
}

function refusal({ pointer, file }: Override, why: string): JobError {
  return new JobError('invalid-request', `The job-json-override ${pointer} (${file}) cannot be applied: ${why}.`);
}

/** Sets one value. Missing parents are created: lists where Kubernetes has a list, else objects. */
function put(job: KubernetesJob, override: Override): void {
  const { tokens, value } = override;
  const path: string[] = [];
  let parent: unknown = job;
  for (const [index, token] of tokens.entries()) {
    const key = keyIn(parent, token, override);
    path.push(key);
    if (index === tokens.length - 1) break;
    let child = (parent as Readonly<Record<string, unknown>>)[key];
    if (child === undefined || !Object.hasOwn(Object(parent), key)) {
      child = isList(path, tokens[index + 1] ?? '') ? [] : {};
      set(job, path, child, override);
    }
    parent = child;
  }
  set(job, path, structuredClone(value), override);
}

const INDEX = /^(0|[1-9]\d*)$/;

/** The name or index that a token of a pointer means in an object or list. One past the end appends, as `-` does. */
function keyIn(parent: unknown, token: string, override: Override): string {
  if (typeof parent !== 'object' || parent === null)
    throw refusal(override, `what is above "${token}" is no object and no list`);
  if (!Array.isArray(parent)) return token;
  if (token === '-') return String(parent.length);
  if (INDEX.test(token) && Number(token) <= parent.length) return token;
  throw refusal(
    override,
    `the list has no element "${token}" (it has ${parent.length}; - and ${parent.length} append)`,
  );
}

/** The fields of Jobs that are lists wherever they are (fixtures/openapi/objects.json). */
const LISTS: ReadonlySet<string> = new Set(
  [
    'accessModes add args claims command conditions containers drop env envFrom ephemeralContainers finalizers hostAliases',
    'hostnames httpHeaders imagePullSecrets initContainers items managedFields matchExpressions matchFields matchLabelKeys',
    'mismatchLabelKeys monitors nameservers namespaces nodeSelectorTerms onPodConditions ownerReferences portals ports',
    'preferredDuringSchedulingIgnoredDuringExecution readinessGates resizePolicy resourceClaims restartPolicyRules rules',
    'schedulingGates searches sources supplementalGroups sysctls targetWWNs tolerations topologySpreadConstraints values',
    'volumeDevices volumeMounts volumes wwids',
  ].flatMap((names) => names.split(' ')),
);

/** Those that are lists below these fields alone. */
const LISTS_BELOW: ReadonlyMap<string, readonly string[]> = new Map([
  ['options', ['dnsConfig']],
  ['requiredDuringSchedulingIgnoredDuringExecution', ['podAffinity', 'podAntiAffinity']],
]);

/** Does Kubernetes have a list at this path, or does the next token append? */
export function isList(path: readonly string[], next: string): boolean {
  if (next === '-') return true;
  if (!INDEX.test(next)) return false;
  const [above = '', name = ''] = path.slice(-2);
  return LISTS.has(name) || LISTS_BELOW.get(name)?.includes(above) === true;
}

function set(job: KubernetesJob, path: readonly string[], value: unknown, override: Override): void {
  const pointer = path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  jsonpointer.set(job, pointer, value);
  if (jsonpointer.get(job, pointer) !== value) throw refusal(override, 'it has no effect');
}

/** Fields of a Job's spec that decide how often and until when it runs. */
export const SPEC_FIELDS = [
  'backoffLimit',
  'parallelism',
  'completions',
  'completionMode',
  'backoffLimitPerIndex',
  'podFailurePolicy',
  'successPolicy',
  'podReplacementPolicy',
  'managedBy',
  'selector',
  'manualSelector',
] as const;

/** What must stay as it was generated, by what to call it. */
function essentials(job: KubernetesJob): Readonly<Record<string, string>> {
  const { apiVersion, kind, metadata, spec } = job;
  const template = spec?.template;
  const specMembers: Readonly<Record<string, unknown>> = { ...spec };
  const named = (containers: unknown): readonly Container[] =>
    (Array.isArray(containers) ? containers : []).filter((each: Container | null) => each?.name === CONTAINER_NAME);
  const containers = named(template?.spec?.containers);
  const parts: Readonly<Record<string, unknown>> = {
    'apiVersion, kind or name': [apiVersion, kind, metadata?.name, metadata?.generateName, metadata?.namespace],
    'a label of the Job': ours('label', metadata?.labels),
    'an annotation of the Job': ours('annotation', metadata?.annotations),
    'a label of the pod': ours('label', template?.metadata?.labels),
    'an annotation of the pod': ours('annotation', template?.metadata?.annotations),
    restartPolicy: template?.spec?.restartPolicy,
    'the container rs-launcher-container': [containers.length, named(template?.spec?.initContainers).length],
    'restartPolicy of the container': containers.map((container) => Object(container).restartPolicy),
    ...Object.fromEntries(SPEC_FIELDS.map((name) => [name, specMembers[name]])),
  };
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, JSON.stringify(part) ?? '']));
}

/** Labels or annotations of ours, in the order of their keys. */
function ours(kind: 'label' | 'annotation', all: unknown): unknown {
  if (typeof all !== 'object' || all === null) return undefined;
  return Object.entries(all)
    .filter(([key]) => isReserved(kind, key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

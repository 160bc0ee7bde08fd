/**
 * Labels and annotations of Job, Pod and Service that come from the job's `metadata` and from the profile; keys of ours
 * cannot be set from outside (kubernetes-objects.md section 1).
 */
import { fillPlaceholders, type KeyValue } from '../config/profile-table.ts';
import type { EffectiveProfile } from '../config/profiles.ts';
import { CUSTOM } from '../config/resource-profiles.ts';
import { isLabelKey, isLabelValue } from '../config/values.ts';
import { isReserved } from './annotations.ts';
import type { JobRequest } from './job.ts';
import { labelValue } from './names.ts';
import type { KeyValues, ResolvedJob } from './policy.ts';
import { refuse, refuseBy } from './refusal.ts';

/** The profile's win over the job's. Throws JobError 'invalid-request' naming the key that is not allowed. */
export function labelsAndAnnotations(
  request: JobRequest,
  profile: EffectiveProfile,
): Pick<ResolvedJob, 'labels' | 'annotations'> {
  const facts = {
    user: request.user,
    group: request.group,
    name: request.name,
    'resource-profile': request.resourceProfile || CUSTOM,
  };
  const filled = (pairs: readonly KeyValue[], make: (text: string) => string): KeyValues =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, make(fillPlaceholders(value, facts))]));
  const labels = filled(profile.jobLabels.value, labelValue);
  const annotations = filled(profile.jobAnnotations.value, (text) => text);
  const of = (object: 'job' | 'pod' | 'service') => ({
    labels: { ...brought(request, object, 'label', profile), ...labels },
    annotations: { ...brought(request, object, 'annotation', profile), ...annotations },
  });
  const [job, pod, service] = [of('job'), of('pod'), of('service')];
  return {
    labels: { job: job.labels, pod: pod.labels, service: service.labels },
    annotations: { job: job.annotations, pod: pod.annotations, service: service.annotations },
  };
}

/** What the job's metadata says of one object. */
function brought(
  { metadata }: JobRequest,
  object: 'job' | 'pod' | 'service',
  kind: 'label' | 'annotation',
  profile: EffectiveProfile,
): KeyValues {
  const where = `metadata.${object}.${kind}s`;
  const ofObject = metadata?.[object];
  const found = isRecord(ofObject) ? ofObject[`${kind}s`] : undefined;
  if (found === undefined || found === null) return {};
  if (!isRecord(found)) return refuse(`${where} must be an object of texts.`);
  const entries = Object.entries(found).map(([key, value]) => {
    if (!profile.allowMetadata.value) refuseBy(`${where}: ${key} is not allowed`, 'allow-metadata', profile);
    if (isReserved(kind, key)) refuse(`${where}: the key ${key} is the launcher's own and cannot be set by a job.`);
    if (!isLabelKey(key)) refuse(`${where}: Kubernetes does not take ${JSON.stringify(key)} for a key.`);
    if (typeof value !== 'string') return refuse(`${where}: the value of ${key} must be a text.`);
    if (kind === 'label' && !isLabelValue(value)) {
      refuse(`${where}: Kubernetes does not take ${JSON.stringify(value)} for the value of label ${key}.`);
    }
    return [key, value] as const;
  });
  return Object.fromEntries(entries);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The `metadata` of a job: labels and annotations for its Job, pod and Service, and `metadata.pod.initContainers`, init
 * containers in the form of Kubernetes. What is malformed is refused with JobError 'invalid-request', naming the field.
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { isReserved } from '../../config/profiles/profile-kinds.ts';
import { DNS_LABEL } from '../../config/text/kinds.ts';
import { isObject } from '../../system/json.ts';
import type { JobRequest } from '../job.ts';
import { refuse } from '../job-error.ts';
import { CONTAINER_NAME } from './annotations.ts';

const FIELD = { label: 'labels', annotation: 'annotations' } as const;

/** Labels or annotations that the job's `metadata` brings for an object. Keys of ours are refused. */
export function metadataOf(
  request: JobRequest,
  object: 'job' | 'pod' | 'service',
  kind: keyof typeof FIELD,
): Readonly<Record<string, string>> {
  const ofObject = request.metadata?.[object];
  const found = isObject(ofObject) ? ofObject[FIELD[kind]] : undefined;
  if (found === undefined || found === null) return {};
  const field = `metadata.${object}.${FIELD[kind]}`;
  if (!isObject(found)) return refuse(`${field} must be an object of strings.`);
  return Object.fromEntries(
    Object.entries(found).map(([key, value]) => {
      if (typeof value !== 'string') return refuse(`${field}: the value of ${key} must be a string.`);
      if (isReserved(kind, key)) return refuse(`${field}: the key ${key} is the launcher's own; a job cannot set it.`);
      return [key, value];
    }),
  );
}

const MOST_CONTAINERS = 100;

/** The init containers of `metadata.pod`. The policy (policy/hardening.ts) decides what they may do. */
export function metadataInitContainers(request: JobRequest): readonly Container[] {
  const { pod } = request.metadata ?? {};
  const found = isObject(pod) ? pod['initContainers'] : undefined;
  if (found === undefined || found === null) return [];
  const field = 'metadata.pod.initContainers';
  if (!Array.isArray(found)) return refuse(`${field} must be a list of containers.`);
  if (found.length > MOST_CONTAINERS)
    return refuse(`${field} is a list of ${found.length}; it must be a list of at most ${MOST_CONTAINERS}.`);
  const names = new Set([CONTAINER_NAME, ...request.initContainers.map(({ name }) => name)]);
  return found.map((container: unknown, index) => {
    if (!isObject(container)) return refuse(`${field}[${index}] must be a container.`);
    const { name, image } = container;
    if (typeof name !== 'string' || !DNS_LABEL.parse(name).ok)
      return refuse(`${field}[${index}].name must be ${DNS_LABEL.allowed}.`);
    if (typeof image !== 'string' || image === '') return refuse(`${field}[${index}].image must name an image.`);
    if (names.has(name)) return refuse(`${field}[${index}].name ${name} is the name of another container of the job.`);
    names.add(name);
    for (const list of ['add', 'drop'] as const) {
      const found = capabilitiesIn(container['securityContext'])[list];
      if (
        found !== undefined &&
        found !== null &&
        !(Array.isArray(found) && found.every((each) => typeof each === 'string'))
      )
        return refuse(`${field}[${index}].securityContext.capabilities.${list} must be a list of strings.`);
    }
    return { ...container, name, image };
  });
}

function capabilitiesIn(securityContext: unknown): Readonly<Record<string, unknown>> {
  const found = isObject(securityContext) ? securityContext['capabilities'] : undefined;
  return isObject(found) ? found : {};
}

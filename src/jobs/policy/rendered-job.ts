/**
 * Judges a Job that a template rendered (docs: templates): amounts, image and security of the job's own containers, and
 * names that text with characters of YAML makes. What the template adds by itself, or from plain text, is the
 * administrator's decision.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { type EffectiveProfile, type NumberKey, numberSetting } from '../../config/profiles/profiles.ts';
import type { JobRequest } from '../job.ts';
import { by, refuse } from '../job-error.ts';
import { CONTAINER_NAME } from '../objects/annotations.ts';
import { quantity } from '../objects/quantity.ts';
import { checkImage, checkNames, type PolicySubject } from './hardening.ts';

interface Maximum {
  readonly resource: string;
  readonly limit: NumberKey;
  readonly request?: NumberKey;
  /** The unit of the profile. */
  readonly unit: number;
  /** 0 means none, instead of no maximum. */
  readonly isGpu?: true;
}

const MAXIMA: readonly Maximum[] = [
  { resource: 'cpu', limit: 'max-cpus', request: 'max-cpus-request', unit: 1 },
  { resource: 'memory', limit: 'max-mem-mb', request: 'max-mem-mb-request', unit: 1e6 },
  { resource: 'nvidia.com/gpu', limit: 'max-nvidia-gpus', unit: 1, isGpu: true },
  { resource: 'amd.com/gpu', limit: 'max-amd-gpus', unit: 1, isGpu: true },
];

/** Throws JobError 'invalid-request'. `hasOwnGpus`: the GPUs come from a resource profile that needs no maximum. */
export function checkRenderedJob(
  job: KubernetesJob,
  fromJob: readonly string[],
  request: JobRequest,
  subject: PolicySubject,
  hasOwnGpus: boolean,
): void {
  const { profile } = subject;
  const spec = job.spec?.template.spec;
  const names = new Set([CONTAINER_NAME, ...request.initContainers.map(({ name }) => name)]);
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].filter(({ name }) =>
    names.has(name),
  );
  for (const container of containers) {
    checkImage(container.image ?? '', profile);
    for (const maximum of MAXIMA) {
      if (hasOwnGpus && maximum.isGpu === true) continue;
      checkMaximum(container, maximum, profile);
    }
  }
  checkNames(spec, new Set(fromJob), 'The rendered Job', request, subject);
}

function checkMaximum({ name, resources }: Container, maximum: Maximum, profile: EffectiveProfile): void {
  const { resource, limit, request, unit, isGpu } = maximum;
  const most = numberSetting(profile, limit);
  const limited = amountOf(resources?.limits?.[resource]);
  const where = `The template job.tpl renders container ${name} with`;
  if ((most.value > 0 || isGpu === true) && limited !== undefined && limited > most.value * unit * TOLERANCE)
    refuse(`${where} a limit of ${resource} above the maximum of ${most.value} (${by(limit, most)}).`);
  if (most.value > 0 && isGpu !== true && limited === undefined)
    refuse(`${where}out a limit of ${resource}; the maximum is ${most.value} (${by(limit, most)}).`);
  if (request === undefined) return;
  const mostRequested = numberSetting(profile, request);
  const requested = amountOf(resources?.requests?.[resource]);
  if (mostRequested.value > 0 && requested !== undefined && requested > mostRequested.value * unit * TOLERANCE)
    refuse(
      `${where} a request of ${resource} above the maximum of ${mostRequested.value} (${by(request, mostRequested)}).`,
    );
}

/** Amounts are rounded up to a thousandth of a CPU and a MB. */
const TOLERANCE = 1.001;

const amountOf = (amount: unknown): number | undefined =>
  typeof amount === 'string' || typeof amount === 'number' ? quantity(String(amount)) : undefined;

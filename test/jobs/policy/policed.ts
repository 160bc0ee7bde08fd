/** A request under profiles: the Job that it becomes, or the sentence with which it is refused. */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { effectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import type { JobRequest, ResourceLimit } from '../../../src/jobs/job.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import type { TemplateContext } from '../../../src/jobs/objects/template-objects.ts';
import { buildJob } from '../../../src/jobs/objects/to-job.ts';
import { type PolicyInput, resolveJob } from '../../../src/jobs/policy/policy.ts';
import { runAtOnce } from '../../../src/system/slices.ts';
import type { SystemUser } from '../../../src/system/users.ts';
import { EMPTY_REQUEST } from '../../support/job-request.ts';

export const REQUEST: JobRequest = {
  ...EMPTY_REQUEST,
  name: 'a job',
  user: 'jane',
  group: 'staff',
  command: 'true',
  container: { image: 'r:4' },
};

export const INIT = { name: 'i', image: 'init:1', command: 'true', exe: '', args: [], mounts: [], environment: [] };

export const RESOURCES = `
[small]
cpus=1
cpus-request=0.5
mem-mb=512
mem-mb-request=256

[huge]
cpus=64
nvidia-gpus=2

[placed]
placement-constraints=pool:gpu
`;

const JANE: SystemUser = { name: 'jane', uid: 1001, gid: 1002, groups: new Set([1002, 27]) };

export const OWN_ACCOUNT = { namespace: 'rstudio', name: 'job-launcher', secret: 'key-of-the-plugin' };

/** The Job that a request becomes under a profile of these lines (line 2 and on of file F). */
export function make(
  lines: string,
  request: Partial<JobRequest> = {},
  input: Partial<PolicyInput> = {},
  templates?: TemplateContext,
): KubernetesJob {
  const { profiles } = parseProfiles('F', `[*]\n${lines}`);
  const resolved = resolveJob({
    request: { ...REQUEST, ...request },
    requester: 'jane',
    profile: effectiveProfile(profiles, { names: ['jane'], inGroup: () => false }),
    resourceProfiles: parseResourceProfiles('R', RESOURCES).profiles,
    user: JANE,
    ownAccount: OWN_ACCOUNT,
    group: 'staff',
    overrides: [],
    ...input,
  });
  const context = {
    id: 'a-job-0123456789',
    submissionId: 's',
    jobExpiryHours: 24,
    shareProcessNamespace: true,
    minor: 30,
    templates,
  };
  return runAtOnce(buildJob(resolved, context));
}

export function spec(job: KubernetesJob): PodSpec {
  const found = job.spec?.template.spec;
  if (found === undefined || found === null) throw new Error('the Job has no pod spec');
  return found;
}

export const container = (job: KubernetesJob): Container | undefined => spec(job).containers[0];

/** What a request is refused with; the answer of one that is not. */
export function refused(lines: string, request: Partial<JobRequest>, input: Partial<PolicyInput> = {}): string {
  try {
    make(lines, request, input);
    return 'allowed';
  } catch (error) {
    if (error instanceof JobError && error.code === 'invalid-request') return error.message;
    throw error;
  }
}

export const limits = (values: Record<string, string>): { resourceLimits: ResourceLimit[] } => ({
  resourceLimits: Object.entries(values).map(([type, value]) => ({ type, value })),
});

export const mount = (type: string, source: Record<string, unknown>): Partial<JobRequest> => ({
  mounts: [{ mountPath: '/m', readOnly: false, type, source, shape: 'flat' }],
});

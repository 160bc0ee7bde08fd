import type { Policy } from './context.ts';
import { JobError } from './contract.ts';
import type { JobRequest } from './job.ts';
import { type Amounts, NO_EXTRAS } from './resolved.ts';

/** The policy where no profiles file is: everything that a job asks for, and nothing else (configuration.md section 2). */
export const unrestricted: Policy = {
  resolve: async (request) => {
    const image = request.container?.image ?? '';
    if (image === '') {
      throw new JobError('invalid-request', 'The job names no container image, and there is no default image.');
    }
    const limits = amounts(request, 'cpuCount', 'memory');
    const asked = amounts(request, 'CPU Request', 'Memory Request');
    return {
      request,
      image,
      limits,
      requests: { ...limits, ...asked },
      nvidiaGpus: 0,
      amdGpus: 0,
      pod: NO_EXTRAS,
    };
  },
  clusterInfo: async () => ({
    allowUnknownImages: true,
    images: [],
    defaultImage: '',
    config: [],
    resourceLimits: ['cpuCount', 'CPU Request', 'memory', 'Memory Request'].map((type) => ({ type })),
    placementConstraints: [],
    resourceProfiles: [],
  }),
};

function amounts(request: JobRequest, cpu: string, memory: string): Amounts {
  const cpuMillis = Math.ceil(amountOf(request, cpu) * 1000);
  const memoryMb = Math.ceil(amountOf(request, memory));
  return { ...(cpuMillis > 0 && { cpuMillis }), ...(memoryMb > 0 && { memoryMb }) };
}

/** 0 = not asked for. */
function amountOf({ resourceLimits }: JobRequest, type: string): number {
  const value = resourceLimits.find((limit) => limit.type === type)?.value ?? '';
  if (value !== '' && !/^\d+(\.\d+)?$/.test(value)) {
    throw new JobError('invalid-request', `The resource limit ${type} must be a number such as 1.5.`);
  }
  return Number(value);
}

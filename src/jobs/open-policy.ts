/** The policy of a namespace without profiles: everything is allowed, nothing is added. */
import type { Policy } from './context.ts';
import { JobError } from './contract.ts';
import type { ResourceLimit } from './job.ts';

const EMPTY = { job: {}, pod: {}, service: {} };

function amount(limits: readonly ResourceLimit[], type: string): number {
  const value = Number(limits.findLast((limit) => limit.type === type)?.value ?? '0');
  if (!Number.isFinite(value) || value < 0)
    throw new JobError('invalid-request', `resourceLimits: ${type} must be a number that is not negative.`);
  return value;
}

const unlessZero = <K extends string>(key: K, value: number): { [k in K]?: number } =>
  value === 0 ? {} : ({ [key]: value } as { [k in K]?: number });

export const openPolicy: Policy = {
  resolve: async (request) => {
    const image = request.container?.image ?? '';
    if (image === '')
      throw new JobError('invalid-request', 'The job names no container image, and there is no default.');
    const { runAsUserId, runAsGroupId, supplementalGroupIds = [] } = request.container ?? {};
    const of = (type: string): number => amount(request.resourceLimits, type);
    return {
      request,
      image,
      limits: {
        ...unlessZero('cpuMillis', Math.ceil(of('cpuCount') * 1000)),
        ...unlessZero('memoryMb', Math.ceil(of('memory'))),
      },
      requests: {
        ...unlessZero('cpuMillis', Math.ceil(of('CPU Request') * 1000)),
        ...unlessZero('memoryMb', Math.ceil(of('Memory Request'))),
      },
      nodeSelector: Object.fromEntries(request.placementConstraints.map(({ name, value }) => [name, value])),
      tolerations: [],
      serviceAccount: undefined,
      automountServiceAccountToken: false,
      secretVariables: [],
      podSecurityContext: {
        ...(runAsUserId === undefined ? {} : { runAsUser: runAsUserId }),
        ...(runAsGroupId === undefined ? {} : { runAsGroup: runAsGroupId }),
        ...(supplementalGroupIds.length === 0 ? {} : { supplementalGroups: [...supplementalGroupIds] }),
      },
      securityContext: {},
      initSecurityContext: {},
      imagePullPolicy: undefined,
      imagePullSecrets: [],
      priorityClass: undefined,
      activeDeadlineSeconds: undefined,
      labels: EMPTY,
      annotations: EMPTY,
      overrides: [],
    };
  },
  clusterInfo: async () => ({
    allowUnknownImages: true,
    images: [],
    defaultImage: '',
    config: [],
    resourceLimits: [{ type: 'cpuCount' }, { type: 'CPU Request' }, { type: 'memory' }, { type: 'Memory Request' }],
    placementConstraints: [],
    resourceProfiles: [],
  }),
};

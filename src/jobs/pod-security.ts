/** As whom and with which powers the containers of a job run (configuration.md sections 2 and 2.1). */
import type { PodSecurityContext, SecurityContext } from 'kubernetes-types/core/v1.d.ts';
import { capabilityName } from '../config/profile-table.ts';
import type { Circumstances } from './hardening.ts';
import type { JobRequest } from './job.ts';
import type { ResolvedJob } from './policy.ts';
import { refuseBy } from './refusal.ts';

/** The security contexts of pod, container and init containers. Throws JobError 'invalid-request'. */
export function securityContexts(
  request: JobRequest,
  circumstances: Circumstances,
): Pick<ResolvedJob, 'podSecurityContext' | 'securityContext' | 'initSecurityContext'> {
  const { profile } = circumstances;
  const isRestricted = profile.podSecurity.value === 'restricted';
  const dropped = [...profile.dropCapabilities.value, ...(isRestricted ? ['ALL'] : [])];
  const { capabilitiesAdd = [], capabilitiesDrop = [] } = request.container ?? {};
  const context = (add: readonly string[], drop: readonly string[]): SecurityContext => {
    const capabilities = {
      ...(add.length === 0 ? {} : { add: unique(add) }),
      ...(drop.length === 0 ? {} : { drop: unique(drop) }),
    };
    return {
      ...(Object.keys(capabilities).length === 0 ? {} : { capabilities }),
      ...(isRestricted ? { allowPrivilegeEscalation: false } : {}),
    };
  };
  return {
    podSecurityContext: {
      ...runAs(request, circumstances),
      ...(isRestricted || profile.runAsNonRoot.value ? { runAsNonRoot: true } : {}),
      ...(isRestricted ? { seccompProfile: { type: 'RuntimeDefault' } } : {}),
    },
    securityContext: context(capabilitiesAdd, [...capabilitiesDrop, ...dropped]),
    initSecurityContext: context([], dropped),
  };
}

function unique(capabilities: readonly string[]): string[] {
  return [...new Set(capabilities.map(capabilityName))];
}

/**
 * User and groups: the job's; 0 is a value. With `run-as=own` those of the user on this host, filled in where the job
 * says nothing, and anything else is refused.
 */
function runAs(request: JobRequest, { profile, user }: Circumstances): PodSecurityContext {
  const { runAsUserId, runAsGroupId, supplementalGroupIds } = request.container ?? {};
  if (runAsUserId === 0 && profile.runAsNonRoot.value) {
    refuseBy('container.runAsUserId 0 is not allowed', 'run-as-non-root', profile);
  }
  if (runAsUserId === 0 && profile.podSecurity.value === 'restricted') {
    refuseBy('container.runAsUserId 0 is not allowed', 'pod-security', profile);
  }
  if (profile.runAs.value === 'any') {
    return {
      ...(runAsUserId === undefined ? {} : { runAsUser: runAsUserId }),
      ...(runAsGroupId === undefined ? {} : { runAsGroup: runAsGroupId }),
      ...(supplementalGroupIds === undefined ? {} : { supplementalGroups: [...supplementalGroupIds] }),
    };
  }
  if (user === undefined) {
    return refuseBy(
      `${request.user} is not a user of this host, so that it is not known as whom the job may run`,
      'run-as',
      profile,
    );
  }
  if (runAsUserId !== undefined && runAsUserId !== user.uid) {
    refuseBy(`container.runAsUserId ${runAsUserId} is not that of ${request.user}, ${user.uid}`, 'run-as', profile);
  }
  const foreign = [runAsGroupId, ...(supplementalGroupIds ?? [])].find(
    (group) => group !== undefined && !user.groups.has(group),
  );
  if (foreign !== undefined) {
    const field = foreign === runAsGroupId ? 'runAsGroupId' : 'supplementalGroupIds';
    refuseBy(`container.${field}: ${foreign} is not a group of ${request.user}`, 'run-as', profile);
  }
  return {
    runAsUser: user.uid,
    runAsGroup: runAsGroupId ?? user.gid,
    supplementalGroups: [...(supplementalGroupIds ?? user.groups)],
  };
}

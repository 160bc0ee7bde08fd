/** As whom a job runs (configuration.md section 2.1, `run-as`). */

import type { Container, JobRequest } from '../job.ts';
import { refuseBy } from '../job-error.ts';
import type { Circumstances } from './hardening.ts';

/**
 * The container with user and groups to run with; 0 is a value. `run-as=own`: those of the user on this host, filled in
 * where the job says nothing, and anything else is refused with JobError 'invalid-request'.
 */
export function runAs(request: JobRequest, image: string, circumstances: Circumstances): Container {
  const { profile } = circumstances;
  const container =
    profile.runAs.value === 'any' ? { ...request.container, image } : own(request, image, circumstances);
  if (container.runAsUserId === 0) {
    const sentence = 'container.runAsUserId 0 is not allowed';
    if (profile.runAsNonRoot.value) refuseBy(sentence, 'run-as-non-root', profile);
    if (profile.podSecurity.value === 'restricted') refuseBy(sentence, 'pod-security', profile);
  }
  return container;
}

function own(request: JobRequest, image: string, { profile, user }: Circumstances): Container {
  const container = { ...request.container, image };
  const { runAsUserId, runAsGroupId, supplementalGroupIds } = container;
  if (user === undefined) {
    const sentence = `${request.user} is not a user of this host, so that it is not known as whom the job may run`;
    return refuseBy(sentence, 'run-as', profile);
  }
  if (runAsUserId !== undefined && runAsUserId !== user.uid) {
    refuseBy(`container.runAsUserId ${runAsUserId} is not that of ${request.user}, ${user.uid}`, 'run-as', profile);
  }
  if (runAsGroupId !== undefined && !user.groups.has(runAsGroupId)) {
    refuseBy(`container.runAsGroupId ${runAsGroupId} is not a group of ${request.user}`, 'run-as', profile);
  }
  const foreign = supplementalGroupIds?.find((group) => !user.groups.has(group));
  if (foreign !== undefined) {
    refuseBy(`container.supplementalGroupIds: ${foreign} is not a group of ${request.user}`, 'run-as', profile);
  }
  return {
    ...container,
    runAsUserId: user.uid,
    runAsGroupId: runAsGroupId ?? user.gid,
    supplementalGroupIds: supplementalGroupIds ?? [...user.groups],
  };
}

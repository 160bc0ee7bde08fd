/**
 * The Service of a job that exposes ports without naming a port of the host (kubernetes-objects.md section 3). The Job
 * owns it, so that it is deleted with the Job.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { isReserved } from '../../config/profiles/profile-kinds.ts';
import { omitEmpty } from '../../system/omit-empty.ts';
import type { JobRequest } from '../job.ts';
import { baseLabels, JOB_NAME_LABEL } from './annotations.ts';
import { metadataOf } from './metadata.ts';
import type { ProfileMetadata, ResolvedJob } from './resolved.ts';

/** Does the job need a Service? */
export function needsService({ exposedPorts }: Pick<JobRequest, 'exposedPorts'>): boolean {
  return exposedPorts.some(({ publishedPort }) => publishedPort === undefined);
}

/** Owner reference that does not block the deletion of the owner: that would need a permission on finalizers. */
export function ownedBy(job: { readonly name: string; readonly uid: string }) {
  return [
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      name: job.name,
      uid: job.uid,
      controller: false,
      blockOwnerDeletion: false,
    },
  ];
}

/** The Service with the Job as its owner. */
export function withOwnerReference(service: Service, job: { readonly name: string; readonly uid: string }): Service {
  return { ...service, metadata: { ...service.metadata, ownerReferences: ownedBy(job) } };
}

/** Without an owner. */
export function buildService(
  { request, labels, annotations }: Pick<ResolvedJob, 'request'> & ProfileMetadata,
  name: string,
  type: string,
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      labels: { ...metadataOf(request, 'service', 'label'), ...labels, ...baseLabels(request) },
      ...omitEmpty({ annotations: { ...metadataOf(request, 'service', 'annotation'), ...annotations } }),
    },
    spec: {
      type,
      selector: { [JOB_NAME_LABEL]: name },
      ports: request.exposedPorts
        .filter(({ publishedPort }) => publishedPort === undefined)
        .map(({ targetPort, protocol }, index) => ({
          name: `port${index}`,
          port: targetPort,
          targetPort,
          protocol,
        })),
    },
  };
}

/** Labels and annotations that the profile put on Job, pod and Service: those that Job and pod share and that are not ours. */
export function profileMetadataOf({ metadata: ofJob, spec }: KubernetesJob): ProfileMetadata {
  const ofPod = spec?.template.metadata;
  const common = (kind: 'label' | 'annotation', member: 'labels' | 'annotations'): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(ofJob?.[member] ?? {}).filter(
        ([key, value]) => ofPod?.[member]?.[key] === value && !isReserved(kind, key),
      ),
    );
  return { labels: common('label', 'labels'), annotations: common('annotation', 'annotations') };
}

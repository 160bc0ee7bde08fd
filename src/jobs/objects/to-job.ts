/**
 * Builds the Kubernetes Job of a launcher job (kubernetes-objects.md section 1). What cannot be built is refused with
 * JobError 'invalid-request', naming the field.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { PodSpec, Service } from 'kubernetes-types/core/v1.d.ts';
import { isObject } from '../../system/json.ts';
import type { Sliced } from '../../system/slices.ts';
import type { JobRequest } from '../job.ts';
import { refuse } from '../job-error.ts';
import {
  baseLabels,
  CONTAINER_NAME,
  checkAnnotationSize,
  METADATA_ANNOTATION,
  NAME_ANNOTATION,
  PORTS_ANNOTATION,
  RECORD_ANNOTATION,
  SUBMISSION_ANNOTATION,
  TAG_ANNOTATION,
  USER_ANNOTATION,
  USER_LABEL,
} from './annotations.ts';
import { containerCommand, halveDollars } from './command.ts';
import { metadataOf } from './metadata.ts';
import { labelValue } from './names.ts';

import { applyOverrides } from './overrides.ts';
import type { ResolvedJob } from './resolved.ts';
import { buildService } from './service.ts';
import { recordOf } from './submission-record.ts';
import { jobFromTemplate, serviceFromTemplate, type TemplateContext } from './template-objects.ts';
import { ARGUMENT_LIMIT, type PodContext, podSecurityContext, podSpec, securedContainers } from './to-pod.ts';

export interface ManifestContext extends PodContext {
  readonly id: string;
  /** Identifies the Job of this submission when the answer to the create call was lost. */
  readonly submissionId: string;
  /** Option `job-expiry-hours`. */
  readonly jobExpiryHours: number;
  /** The launcher templates, if there are any in use. */
  readonly templates?: TemplateContext | undefined;
}

const JOB_LIMIT = 1_400_000;
const MAX_INT32 = 2_147_483_647;

/** Throws JobError 'invalid-request'. */
export function* buildJob(resolved: ResolvedJob, context: ManifestContext): Sliced<KubernetesJob> {
  const { templates } = context;
  if (templates?.set.has('job.tpl') === true) {
    const job = yield* jobFromTemplate(resolved, templates, context, (reserved) => {
      const generated = generateJob(resolved, context, { reserved, isTemplate: true });
      // A template shortens neither annotations nor arguments: what cannot be created is not rendered three times.
      checkAnnotations(generated);
      checkArguments(generated);
      return generated;
    });
    yield* checkSizes(job);
    return job;
  }
  const job = generateJob(resolved, context, { reserved: new Set(), isTemplate: false });
  yield* checkSizes(job);
  return resolved.overrides.length === 0 ? job : completed(applyOverrides(job, resolved.overrides), job, resolved);
}

/** The Service of a job, without an owner; undefined: a template renders none. Throws JobError 'invalid-request'. */
export function* buildServiceOf(
  resolved: ResolvedJob,
  context: ManifestContext,
  type: string,
): Sliced<Service | undefined> {
  const { templates } = context;
  const generated = buildService(resolved, context.id, type);
  if (templates?.set.has('service.tpl') !== true) return generated;
  const job = generateJob(resolved, context, { reserved: new Set(), isTemplate: true });
  return yield* serviceFromTemplate(resolved, templates, context, job, generated);
}

interface Generation {
  /** Names that volumes of the job must not have. */
  readonly reserved: ReadonlySet<string>;
  /** A template makes the Job that is created. */
  readonly isTemplate: boolean;
}

/** The Job of a request without overrides and templates. */
function generateJob(
  resolved: ResolvedJob,
  context: ManifestContext,
  { reserved, isTemplate }: Generation,
): KubernetesJob {
  const { request } = resolved;
  checkPorts(request);
  // Refused here although only the Service uses them: what is wrong is refused before anything is created.
  for (const kind of ['label', 'annotation'] as const) metadataOf(request, 'service', kind);
  if (request.workingDirectory.includes('\0')) refuse('workingDirectory holds a NUL character.');
  const main = containerCommand(request);
  const { spec, initRecords } = podSpec(resolved, main.container, context, reserved);
  const ours = ourLabels(request);
  const brought = (object: 'job' | 'pod') => ({
    labels: { ...metadataOf(request, object, 'label'), ...resolved.labels, ...ours },
    annotations: { ...metadataOf(request, object, 'annotation'), ...resolved.annotations },
  });
  const ofJob = brought('job');
  const ofPod = brought('pod');
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: context.id,
      labels: ofJob.labels,
      annotations: {
        ...ofJob.annotations,
        [RECORD_ANNOTATION]: JSON.stringify(recordOf(request, main.record, initRecords, isTemplate)),
        [SUBMISSION_ANNOTATION]: context.submissionId,
      },
    },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: ttlSeconds(context.jobExpiryHours),
      template: {
        metadata: {
          labels: ofPod.labels,
          annotations: { ...ofPod.annotations, ...podAnnotations(request) },
        },
        spec,
      },
    },
  };
}

const AUTOMOUNT_POINTER = '/spec/template/spec/automountServiceAccountToken';

/** The overridden Job with what follows from the overrides, and with what `run-as=own` and `pod-security` demand. */
function completed(
  job: KubernetesJob,
  generated: KubernetesJob,
  { request, profile, overrides }: ResolvedJob,
): KubernetesJob {
  const spec = job.spec?.template.spec;
  const before = generated.spec?.template.spec;
  if (!isObject(spec) || !isObject(before)) return job;
  const pod: PodSpec = { ...spec };
  const isOtherAccount = spec.serviceAccountName !== before.serviceAccountName;
  const isWritten = overrides.some(({ pointer }) => pointer === AUTOMOUNT_POINTER);
  if (isOtherAccount && !isWritten && profile.automountServiceAccountToken.value === 'auto')
    delete pod.automountServiceAccountToken;
  if (profile.runAs.value === 'own') pod.securityContext = { ...spec.securityContext, ...podSecurityContext(request) };
  pod.containers = securedContainers(spec.containers, before.containers, profile);
  if (Array.isArray(spec.initContainers))
    pod.initContainers = securedContainers(spec.initContainers, before.initContainers ?? [], profile);
  return { ...job, spec: { ...job.spec, template: { ...job.spec?.template, spec: pod } } };
}

/** job-expiry-hours and one more, when no plugin removes the job. */
export function ttlSeconds(jobExpiryHours: number): number {
  return Math.min(MAX_INT32, Math.ceil(jobExpiryHours * 3600) + 3600);
}

const PROTOCOLS: readonly string[] = ['TCP', 'UDP', 'SCTP'];
const HIGHEST_PORT = 65_535;

/** What Kubernetes would refuse of a Service after the Job was made. */
function checkPorts({ exposedPorts }: JobRequest): void {
  for (const { targetPort, publishedPort = targetPort, protocol } of exposedPorts) {
    for (const [name, port] of Object.entries({ targetPort, publishedPort })) {
      if (port < 1 || port > HIGHEST_PORT)
        refuse(`exposedPorts: ${name} ${port} is not a port from 1 to ${HIGHEST_PORT}.`);
    }
    if (!PROTOCOLS.includes(protocol))
      refuse(`exposedPorts: protocol ${JSON.stringify(protocol)} is not one of ${PROTOCOLS.join(', ')}.`);
  }
}

/** Labels of Job and pod that are ours. */
function ourLabels(request: JobRequest): Record<string, string> {
  const user = labelValue(request.user);
  return { ...baseLabels(request), ...(user === '' ? {} : { [USER_LABEL]: user }) };
}

function podAnnotations(request: JobRequest): Record<string, string> {
  return {
    [NAME_ANNOTATION]: request.name,
    [USER_ANNOTATION]: request.user,
    ...Object.fromEntries(request.tags.map((tag, index) => [`${TAG_ANNOTATION}${index}`, tag])),
    [PORTS_ANNOTATION]: JSON.stringify(request.exposedPorts),
    ...(request.metadata === undefined ? {} : { [METADATA_ANNOTATION]: JSON.stringify(request.metadata) }),
  };
}

function* checkSizes(job: KubernetesJob): Sliced<void> {
  yield;
  checkAnnotations(job);
  checkArguments(job);
  yield;
  const size = Buffer.byteLength(JSON.stringify(job));
  if (size > JOB_LIMIT)
    refuse(
      `The job has ${size} bytes as a Kubernetes Job (most of it environment or args); ${JOB_LIMIT} can be stored.`,
    );
}

function checkAnnotations({ metadata, spec }: KubernetesJob): void {
  checkAnnotationSize(metadata?.annotations ?? {});
  checkAnnotationSize(spec?.template.metadata?.annotations ?? {});
}

function checkArguments(job: KubernetesJob): void {
  const spec = job.spec?.template.spec;
  for (const { name, command = [], args = [] } of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]) {
    const where = name === CONTAINER_NAME ? 'command or args' : `initContainers (${name})`;
    for (const argument of [...command, ...args]) {
      if (argument.includes('\0')) refuse(`${where}: an argument holds a NUL character.`);
      const size = Buffer.byteLength(halveDollars(argument));
      if (size > ARGUMENT_LIMIT)
        refuse(`${where}: an argument has ${size} bytes; Linux starts no program with more than ${ARGUMENT_LIMIT}.`);
    }
  }
}

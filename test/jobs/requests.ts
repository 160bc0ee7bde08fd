/** Jobs as tests ask for them. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import { effectiveProfile, parseProfiles } from '../../src/config/profiles/profiles.ts';
import type { JobRequest } from '../../src/jobs/job.ts';
import type { ResolvedJob } from '../../src/jobs/objects/resolved.ts';
import { buildJob, type ManifestContext } from '../../src/jobs/objects/to-job.ts';
import { profileSettings } from '../../src/jobs/policy/policy.ts';
import { runAtOnce } from '../../src/system/slices.ts';
import { EMPTY_REQUEST } from '../support/job-request.ts';

/** What else decides about the objects of a job. */
export const CONTEXT: ManifestContext = {
  id: 'report-a1b2c3d4e5',
  submissionId: 's-1',
  jobExpiryHours: 24,
  shareProcessNamespace: true,
  minor: 36,
};

/** A request of alice for a job in busybox. */
export const request = (members: Partial<JobRequest> = {}): JobRequest => ({
  ...EMPTY_REQUEST,
  container: { image: 'busybox' },
  ...members,
});

/** A job of alice under a profile with these lines. */
export function resolved(
  members: Partial<JobRequest> = {},
  { lines = '', ...policy }: Partial<ResolvedJob> & { readonly lines?: string } = {},
): ResolvedJob {
  const asked = request(members);
  const { profiles } = parseProfiles('F', `[*]\n${lines}`);
  const profile = effectiveProfile(profiles, { names: ['alice'], inGroup: () => false });
  return {
    request: asked,
    image: asked.container?.image ?? 'default-image',
    limits: {},
    requests: {},
    nvidiaGpus: 0,
    amdGpus: 0,
    overrides: [],
    checkResult: () => {},
    ...profileSettings({ ...asked, placementConstraints: [] }, profile, undefined),
    nodeSelector: Object.fromEntries(asked.placementConstraints.map(({ name, value }) => [name, value])),
    ...policy,
  };
}

/** The Job of a request. */
export const builtJob = (job: ResolvedJob, context: ManifestContext): KubernetesJob =>
  runAtOnce(buildJob(job, context));

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  additionalProperties?: unknown;
}

/** Says what the recorded OpenAPI documents find wrong with an object; '' if it is as a strict server wants it. */
export function schemaCheck(): (
  kind: 'batch.v1.Job' | 'core.v1.Service' | 'core.v1.Secret',
  object: unknown,
) => string {
  const text = readFileSync(new URL('../../fixtures/openapi/objects.json', import.meta.url), 'utf8');
  const document: { components: { schemas: Record<string, Schema> } } = JSON.parse(text);
  const close = (schema: Schema): void => {
    if (schema.properties !== undefined) schema.additionalProperties ??= false;
    for (const inner of [...Object.values(schema.properties ?? {}), schema.items, ...(schema.allOf ?? [])])
      if (inner !== undefined) close(inner);
  };
  for (const schema of Object.values(document.components.schemas)) close(schema);
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  ajv.addSchema({ $id: 'objects', ...document });
  return (kind, object) => {
    const validate = ajv.getSchema(`objects#/components/schemas/io.k8s.api.${kind}`);
    if (validate === undefined) throw new Error(`no schema of ${kind}`);
    return validate(object) ? '' : ajv.errorsText(validate.errors);
  };
}

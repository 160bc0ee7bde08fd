/**
 * Patch of a Job with conflict retry: the patch names the resource version that it was made for, and after a conflict it is
 * made again for the newest version, so that it overwrites no change of another client (docs/architecture.md section 6). A
 * conflict with the patch itself, sent again because its answer was lost, is success.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import { JOBS } from '../../kubernetes/contract.ts';
import { isConflict } from '../../kubernetes/kubernetes-error.ts';
import type { JobsContext } from '../context.ts';
import { CONTROL_ANNOTATION, RESULT_ANNOTATION, STDIN_ANNOTATION, UID_ANNOTATION } from '../objects/annotations.ts';
import { type JobView, projectJob } from '../view/projection.ts';

export interface JobPatch {
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Annotations that a copy of a Job has inherited; removed with its own first patch. */
const NO_RECORDS = { [CONTROL_ANNOTATION]: null, [RESULT_ANNOTATION]: null, [STDIN_ANNOTATION]: null };

/** After this many conflicts another client writes all the time. */
const ATTEMPTS = 10;

/**
 * Patches the Job with the result of `decide` for its newest version; undefined: no patch is needed. The Job's uid is
 * written, too, so that copies of the Job do not inherit the annotations. Resolves with the patched version, or with
 * undefined if nothing was patched. Rejects with errors of `decide` and of the API.
 */
export async function patchJob(
  { client, jobs }: Pick<JobsContext, 'client' | 'jobs'>,
  job: JobView,
  decide: (newest: JobView) => JobPatch | undefined,
  signal?: AbortSignal,
): Promise<JobView | undefined> {
  const options = signal === undefined ? {} : { signal };
  let newest = job;
  for (let attempt = 1; ; attempt++) {
    const patch = decide(newest);
    if (patch === undefined) return undefined;
    const annotations = {
      ...(newest.inherits ? NO_RECORDS : {}),
      ...patch.annotations,
      [UID_ANNOTATION]: newest.uid,
    };
    const metadata = { resourceVersion: newest.resourceVersion, annotations };
    let mayBeDone = false;
    try {
      const body = patch.spec === undefined ? { metadata } : { metadata, spec: patch.spec };
      const { object } = await client.patch(JOBS, job.name, body, options);
      return taken(projectJob(object));
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
      mayBeDone = error.followsLostAnswer;
    }
    const { object } = await client.get(JOBS, job.name, options);
    newest = taken(projectJob(object));
    // A Job of the same name with another uid is another job.
    if (newest.uid !== job.uid) return undefined;
    if (mayBeDone && hasAnnotations(object, patch.annotations)) return newest;
  }

  function taken(view: JobView): JobView {
    jobs.offer(view);
    return view;
  }
}

function hasAnnotations({ metadata }: KubernetesJob, wanted: JobPatch['annotations']): boolean {
  return Object.entries(wanted).every(([key, value]) => (metadata?.annotations?.[key] ?? null) === value);
}

/**
 * Patches of a Job that must not overwrite what somebody else has written meanwhile: guarded by its resourceVersion, and
 * tried again on the newest version after a conflict (architecture.md section 6).
 */
import { JOBS } from '../../kubernetes/contract.ts';
import { isConflict } from '../../kubernetes/kubernetes-error.ts';
import type { Context } from '../context.ts';
import { CONTROL_ANNOTATION, RESULT_ANNOTATION, STDIN_ANNOTATION, UID_ANNOTATION } from '../objects/annotations.ts';
import { type JobView, projectJob } from '../view/projection.ts';

export interface JobPatch {
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** What is taken off a copy of a Job before it gets records of its own. */
const NOTHING_YET = { [CONTROL_ANNOTATION]: null, [RESULT_ANNOTATION]: null, [STDIN_ANNOTATION]: null };

/** More conflicts than this are not chance: somebody writes all the time. */
const ATTEMPTS = 10;

/**
 * Patches the Job with what `decide` makes of its newest version, and with its uid: the annotations tell of the run of
 * this Job and of no copy of it. undefined means that nothing is to be patched. Resolves with the patched version, or with
 * undefined if nothing was. Errors of `decide` and of the API pass.
 */
export async function patchJob(
  { client, jobs }: Pick<Context, 'client' | 'jobs'>,
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
      ...(newest.inherits ? NOTHING_YET : {}),
      ...patch.annotations,
      [UID_ANNOTATION]: newest.uid,
    };
    const metadata = { resourceVersion: newest.resourceVersion, annotations };
    try {
      const body = patch.spec === undefined ? { metadata } : { metadata, spec: patch.spec };
      const { object } = await client.patch(JOBS, job.name, body, options);
      return taken(projectJob(object));
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
    }
    newest = taken(projectJob((await client.get(JOBS, job.name, options)).object));
    // A job of the same name is another job.
    if (newest.uid !== job.uid) return undefined;
  }

  function taken(view: JobView): JobView {
    jobs.offer(view);
    return view;
  }
}

/** `check --submit-test-job`: a tiny job through its whole life, each part with its time. The one thing that changes the cluster. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Options } from '../../config/options/options.ts';
import type { Policy } from '../../jobs/context.ts';
import { JobError } from '../../jobs/job-error.ts';
import { CONTAINER_NAME, JOB_NAME_LABEL } from '../../jobs/objects/annotations.ts';
import { newJob } from '../../jobs/operations/new-job.ts';
import { type Client, JOBS, PODS } from '../../kubernetes/contract.ts';
import { KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import { smallJob } from '../command-policy.ts';
import type { Surroundings } from '../command-session.ts';
import { takeSnapshot } from '../snapshot.ts';
import { failedCall } from './check-api.ts';
import { type Checked, failed, ok, only } from './report.ts';

const LOOK_MS = 200;

/** From submit to output, image pull included. */
export const TEST_JOB_MS = 60_000;
/** Should this process end in between, the cluster ends and removes the job by itself. */
const CLEAN_UP = { activeDeadlineSeconds: 120, ttlSecondsAfterFinished: 60 };

interface TestJob {
  readonly client: Client;
  readonly policy: Policy;
  readonly options: Options;
  readonly minor: number;
  readonly user: string;
  /** Undefined: the default of the user's profile. */
  readonly image: string | undefined;
  /** Default 60 s. */
  readonly timeoutMs?: number;
}

/** Submits, waits for the end, reads the output, deletes. What was made is deleted whatever happens. */
export async function runTestJob(test: TestJob, surroundings: Surroundings): Promise<Checked<true>> {
  const { client, options, minor } = test;
  const { clock, random } = surroundings;
  const late = new AbortController();
  const { signal } = late;
  const cancel = clock.after(test.timeoutMs ?? TEST_JOB_MS, () =>
    late.abort(new Error('the test job did not end in time')),
  );
  let made: { readonly name: string; readonly uid: string } | undefined;
  try {
    const resolved = await test.policy.resolve(smallJob(surroundings, test.user, test.image), test.user);
    const { id, manifest, isOurs } = newJob(resolved, options, random);
    const job = manifest(minor);
    const begun = clock.monotonic();
    const passed = (): string => `${((clock.monotonic() - begun) / 1000).toFixed(1)} s`;
    const { object } = await client.create(
      JOBS,
      { ...job, spec: { ...job.spec, ...CLEAN_UP, template: job.spec?.template ?? {} } },
      {
        isOurs,
        signal,
      },
    );
    made = { name: id, uid: object.metadata?.uid ?? '' };
    const submitted = passed();
    const pod = await ended(client, id, surroundings, signal);
    const finished = passed();
    const end = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER_NAME)?.state?.terminated;
    const output = await read(client, pod.metadata?.name ?? '', signal);
    const said = `submitted after ${submitted}, ended after ${finished}, output read after ${passed()}`;
    if (end?.exitCode !== 0) {
      const why = `ended with exit code ${end?.exitCode ?? 'unknown'} (${end?.reason ?? pod.status?.reason ?? 'no reason'}): ${output.trim() || end?.message || 'no output'}`;
      return { findings: [failed(`${id} ${why}`, 'has the image /bin/sh? Another one: --image')] };
    }
    if (output !== 'it works\n')
      return {
        findings: [
          failed(`${id}: its output is ${JSON.stringify(output)}, not "it works"`, 'see permissions: pods/log'),
        ],
      };
    return only(ok(`${id} on ${pod.spec?.nodeName ?? 'a node'}: ${said}`));
  } catch (error) {
    if (error instanceof JobError)
      return {
        findings: [
          failed(error.message, 'the text names what refuses it; --user and --image choose another user and image'),
        ],
      };
    if (signal.aborted && made !== undefined) {
      const why = await reasonOf(client, made.name);
      return {
        findings: [
          failed(`${made.name} did not end in time${why}`, 'can the image be pulled, and is there a node with room?'),
        ],
      };
    }
    return { findings: [failedCall(error)] };
  } finally {
    cancel();
    if (made !== undefined) await client.delete(JOBS, made.name, { propagationPolicy: 'Background', uid: made.uid });
  }
}

/** The job's pod, when its container has ended. */
async function ended(client: Client, id: string, { clock }: Surroundings, signal: AbortSignal): Promise<Pod> {
  for (;;) {
    const { items } = await client.list(PODS, { labelSelector: `${JOB_NAME_LABEL}=${id}` }, { signal });
    const done = items.find(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
    if (done !== undefined) return done;
    await sleep(clock, LOOK_MS, signal);
  }
}

async function read(client: Client, pod: string, signal: AbortSignal): Promise<string> {
  const over = AbortSignal.abort();
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.followLog({ pod, container: CONTAINER_NAME, ended: over }, signal))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** `: image x cannot be pulled ...`, as the launcher would be told. */
async function reasonOf(client: Client, id: string): Promise<string> {
  try {
    const { repository } = await takeSnapshot(client, () => {}, { allEvents: false });
    const message = repository.get(id)?.outcome.message ?? '';
    return message === '' ? '' : `: ${message}`;
  } catch (error) {
    if (error instanceof KubernetesError) return '';
    throw error;
  }
}

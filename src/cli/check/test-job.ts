/** Step of `check --submit-test-job`: submits a small job, waits for its end, reads its output and deletes it. Nothing else in `check` changes the cluster. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Options } from '../../config/options/options.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { userProfile } from '../../config/profiles/user-profile.ts';
import { JobError } from '../../jobs/job-error.ts';
import { CONTAINER_NAME, JOB_NAME_LABEL } from '../../jobs/objects/annotations.ts';
import { newJob } from '../../jobs/operations/submit.ts';
import { imagesOf } from '../../jobs/policy/hardening.ts';
import type { Policy } from '../../jobs/policy/policy.ts';
import { openTemplates } from '../../jobs/templates.ts';
import { jobId } from '../../jobs/view/projection.ts';
import { type Client, JOBS, PODS } from '../../kubernetes/contract.ts';
import { KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import { pendingAdvice } from '../advice.ts';
import { neededResources, smallJob } from '../command-policy.ts';
import type { CommandContext } from '../command-session.ts';
import { takeSnapshot } from '../snapshot.ts';
import { failedCall } from './check-api.ts';
import { type Checked, type Finding, failure, ok, only } from './check-report.ts';

const LOOK_MS = 200;

/** From submit to output, image pull included. */
export const TEST_JOB_MS = 60_000;
/** If this process ends early, the cluster ends and deletes the job by itself. */
const CLEAN_UP = { activeDeadlineSeconds: 120, ttlSecondsAfterFinished: 60 };

interface TestJob {
  readonly client: Client;
  readonly files: PolicyFiles;
  readonly policy: Policy;
  readonly options: Options;
  readonly minor: number;
  readonly user: string;
  /** Undefined: the default image of the user's profile, else the first one that it offers, else busybox. */
  readonly image: string | undefined;
  /** Default 60 s. */
  readonly timeoutMs?: number;
}

/** Submits, waits for the end, reads the output, deletes. The job is deleted in every case. */
export async function runTestJob(test: TestJob, context: CommandContext): Promise<Checked<true>> {
  const { client, options, minor } = test;
  const { clock, random } = context;
  const late = new AbortController();
  const { signal } = late;
  const cancel = clock.after(test.timeoutMs ?? TEST_JOB_MS, () =>
    late.abort(new Error('the test job did not end in time')),
  );
  let made: { readonly name: string; readonly uid: string } | undefined;
  try {
    const { profile } = await userProfile(test.files.profiles, context.users, test.user);
    const image = test.image ?? (profile.defaultContainerImage.value || imagesOf(profile)[0] || 'busybox');
    const more = neededResources(profile, test.files.resourceProfiles);
    const resolved = await test.policy.resolve(smallJob(context, test.user, image, more), test.user);
    const { id, manifest, isOurs } = newJob(resolved, options, random, openTemplates(options, clock.now()));
    const job = await manifest(minor);
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
    const pod = await ended(client, id, context, signal);
    if ('cannotStart' in pod) return { findings: [stuck(id, pod.cannotStart)] };
    const finished = passed();
    const end = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER_NAME)?.state?.terminated;
    const output = await read(client, pod.metadata?.name ?? '', signal);
    const said = `submitted after ${submitted}, ended after ${finished}, output read after ${passed()}`;
    if (end?.exitCode !== 0) {
      const why = `ended with exit code ${end?.exitCode ?? 'unknown'} (${end?.reason ?? pod.status?.reason ?? 'no reason'}): ${output.trim() || end?.message || 'no output'}`;
      return { findings: [failure(`${id} ${why}`, 'use an image with /bin/sh: --image IMAGE')] };
    }
    if (output !== 'it works\n')
      return {
        findings: [
          failure(`${id}: its output is ${JSON.stringify(output)}, not "it works"`, 'see permissions: pods/log'),
        ],
      };
    return only(ok(`${id} on ${pod.spec?.nodeName ?? 'a node'}: ${said}`));
  } catch (error) {
    if (error instanceof JobError)
      return {
        findings: [
          failure(
            error.message,
            'fix the setting in the message, or choose another user or image: --user USER --image IMAGE',
          ),
        ],
      };
    if (signal.aborted && made !== undefined) {
      return { findings: [stuck(made.name, (await reasonOf(client, made.name)) ?? 'it did not end in time')] };
    }
    return { findings: [failedCall(error)] };
  } finally {
    cancel();
    if (made !== undefined) await client.delete(JOBS, made.name, { propagationPolicy: 'Background', uid: made.uid });
  }
}

/** Waiting reasons that do not pass without a change of the configuration. */
const FATAL: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
]);

/** Looks between two reads of the events that explain why there is no pod. */
const LOOKS_WITHOUT_POD = 10;

/** The job's pod, when its container has ended; the reason, when it cannot start. */
async function ended(
  client: Client,
  id: string,
  { clock }: CommandContext,
  signal: AbortSignal,
): Promise<Pod | { readonly cannotStart: string }> {
  for (let look = 1; ; look++) {
    const { items } = await client.list(PODS, { labelSelector: `${JOB_NAME_LABEL}=${id}` }, { signal });
    const done = items.find(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
    if (done !== undefined) return done;
    const isFatal = items.some(({ status }) =>
      status?.containerStatuses?.some(({ state }) => FATAL.has(state?.waiting?.reason ?? '')),
    );
    if (isFatal || (items.length === 0 && look % LOOKS_WITHOUT_POD === 0)) {
      const reason = await reasonOf(client, id);
      if (reason !== undefined) return { cannotStart: reason };
    }
    await sleep(clock, LOOK_MS, signal);
  }
}

function stuck(id: string, reason: string): Finding {
  return failure(`${id} cannot start: ${reason}`, pendingAdvice([reason]) ?? 'run: kubectl describe nodes');
}

async function read(client: Client, pod: string, signal: AbortSignal): Promise<string> {
  const over = AbortSignal.abort();
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.followLog({ pod, container: CONTAINER_NAME, ended: over }, signal))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** `image x cannot be pulled ...`, the reason that the launcher would receive; undefined: none yet. */
async function reasonOf(client: Client, id: string): Promise<string | undefined> {
  try {
    const { repository } = await takeSnapshot(client, () => {}, { allEvents: false });
    return repository.get(jobId(id))?.outcome.message || undefined;
  } catch (error) {
    if (error instanceof KubernetesError) return undefined;
    throw error;
  }
}

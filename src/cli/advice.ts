/** What to do about the state of a job: a sentence for each cause of the state table, with what can be typed. */
import type { JobDetail } from './job-detail.ts';

/** Reasons of a Pending job, by what their message contains; the first that matches applies. */
const PENDING_ADVICE: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [
    /InvalidImageName|cannot be parsed|not a valid image name|invalid reference format/i,
    'The image name is not valid. Write it as [registry/]name[:tag], in lower case.',
  ],
  [
    /pull|image/i,
    'Check the name of the image, and that the node can reach its registry. A private registry needs image-pull-secrets in the profile.',
  ],
  [/quota/i, 'The quota of the namespace is used up: wait until other jobs end, or raise it (kubectl describe quota).'],
  [
    /Insufficient|too many pods/i,
    'No node has enough free resources: wait, reduce the resources that the job requests, or add a node (kubectl describe nodes shows what is allocated).',
  ],
  [/were unschedulable/i, 'The nodes are cordoned: wait, or allow pods on one again (kubectl uncordon NODE).'],
  [
    /free ports/i,
    'No node has the published port of the job free: submit it with another one, or wait until the job with this port ends.',
  ],
  [/taint/i, 'The nodes have taints that the job does not tolerate: set tolerations in the profile.'],
  [
    /affinity|selector/i,
    'No node matches: wait if an autoscaler adds such nodes; else check the node that the job names, its placement constraints, and node-selector of the profile (kubectl get nodes --show-labels).',
  ],
  [
    /priority ?class/i,
    'The priority class of the profile does not exist: correct priority-class (kubectl get priorityclasses).',
  ],
  [
    /service ?account/i,
    'The service account does not exist: correct service-account of the profile (kubectl get serviceaccounts).',
  ],
  [
    /secret|configmap|volume|mount|claim/i,
    'A volume, Secret or ConfigMap is missing: create it, or correct the mounts of the job or the overrides of the profile.',
  ],
];

/** The scheduler ends each of its messages with this, and means claims of devices. */
const NO_REASON = 'no new claims to deallocate';

/** For the first of these messages that has a known reason. */
export function pendingAdvice(texts: readonly string[]): string | undefined {
  const reasons = texts.map((text) => text.replace(NO_REASON, ''));
  return reasons.flatMap((reason) => PENDING_ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? [])[0];
}

type Advice = string | ((detail: JobDetail) => string);

const RESUBMIT = 'Submit the job again.';

/** By cause. */
const ADVICE: Readonly<Record<string, Advice>> = {
  killed: ({ record }) => `${record.job.control?.user ?? 'A user'} requested the kill; there is nothing to fix.`,
  stopped: ({ record }) => `${record.job.control?.user ?? 'A user'} requested the stop; there is nothing to fix.`,
  canceled: ({ record }) =>
    record.job.control?.user === 'launcher'
      ? 'The job waited for longer than pending-timeout-seconds: see the reason above, fix it, and submit the job again.'
      : `${record.job.control?.user ?? 'A user'} requested the cancel; there is nothing to fix.`,
  suspended: ({ job }) =>
    `Another client suspended the Job. To resume it: kubectl -n NAMESPACE patch job ${job.id} -p '{"spec":{"suspend":false}}'`,
  'pod-removal-pending': 'The cluster decides within 2 s what becomes of the job: run this command again.',
  'pod-removed': `Its pod was removed by the cluster or another client. ${RESUBMIT} For an eviction, raise the memory request of the job, so that its node has room for it.`,
  'deadline-exceeded':
    'The job ran longer than its limit: raise active-deadline-seconds in the profile, or split the job.',
  'start-failed': 'The program cannot be started: check that the command exists in the image and is executable.',
  'status-lost': `Its node or container runtime restarted. ${RESUBMIT}`,
  'out-of-memory':
    'The job needs more memory than its limit: submit it with more memory, or raise max-mem-mb in the profile.',
  'container-ended': ({ job }) =>
    job.exitCode === 0
      ? 'The program ended without an error; there is nothing to do.'
      : `The program ended with an error of its own: read its output (rstudio-kubernetes-launcher logs ${job.id} --tail 50).`,
  'pod-succeeded': 'The program ended without an error; there is nothing to do.',
  'pod-failed': 'The kubelet refused the pod or ended it: see the reason above, fix it, and submit the job again.',
  'job-complete': 'The program ended without an error; its output was deleted with its pod.',
  'job-failed': `How the program ended is not known, because its pod was deleted first. ${RESUBMIT}`,
  'job-deleted': `Another client deleted the Job. ${RESUBMIT}`,
  'pod-outdated': 'The job has ended, and the cluster reports how within seconds: run this command again.',
  'pending-reason': pendingReasonAdvice,
  running: ({ job }) =>
    `The job runs. Its output: rstudio-kubernetes-launcher logs ${job.id} -f. Its CPU and memory: rstudio-kubernetes-launcher top.`,
  pending: ({ job, events }) => {
    const texts = [
      job.statusMessage,
      ...events
        .filter(({ warning }) => warning)
        .map(({ message }) => message)
        .toReversed(),
    ];
    return pendingAdvice(texts) ?? 'The cluster is about to start the job: run this command again in a few seconds.';
  },
};

function pendingReasonAdvice({ job: { statusCode, statusMessage } }: JobDetail): string {
  const advice = pendingAdvice([statusCode, statusMessage]) ?? 'Fix the reason above.';
  return `The job could not start, and fail-pending-reasons of the profile has the reason ${statusCode}. ${advice} ${RESUBMIT}`;
}

export function adviceFor(detail: JobDetail): string {
  const advice = ADVICE[detail.record.cause] ?? 'See the cause above.';
  const text = typeof advice === 'string' ? advice : advice(detail);
  return text.replaceAll('NAMESPACE', detail.namespace);
}

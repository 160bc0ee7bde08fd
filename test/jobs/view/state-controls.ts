/** Cases in which a record, a control, a removal or a time limit decides, or came too late to decide. */
import {
  type Case,
  COMPLETE,
  control,
  DELETION,
  end,
  FAILED,
  job,
  pod,
  RUNNING,
  SECOND,
  START,
  seen,
} from './state-cases.ts';

export const CONTROL_ROWS: readonly Case[] = [
  {
    what: 'the result that is written down',
    cause: 'recorded-result',
    given: {
      job: job({ result: { state: 'Finished', statusCode: 'Stopped', exitCode: 143, message: 'm' } }),
      pod: seen(pod()),
    },
    expected: ['Finished', 'Stopped', 143, 'm'],
  },
  {
    what: 'a terminal state that was announced',
    cause: 'out-of-memory',
    given: {
      announced: {
        outcome: { state: 'Killed', statusCode: 'OOMKilled', message: 'x', exitCode: 137 },
        cause: 'out-of-memory',
      },
      pod: seen(pod()),
    },
    expected: ['Killed', 'OOMKilled', 137, 'x'],
  },
  {
    what: 'killed, and the pod is gone after a restart of ours',
    cause: 'killed',
    given: { job: job(control('kill')) },
    expected: ['Killed', 'Killed', 137, ''],
  },
  {
    what: 'killed, but its program ended with a code of its own',
    cause: 'container-ended',
    given: { job: job(control('kill')), pod: seen(pod({ phase: 'Failed', container: end(4) })) },
    expected: ['Finished', 'Error', 4, 'ended with exit code 4'],
  },
  {
    what: 'stopped on an old kubelet, which never reports the exit code',
    cause: 'stopped',
    given: {
      job: job(control('stop')),
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1 })),
    },
    expected: ['Finished', 'Stopped', undefined, ''],
  },
  {
    what: 'a kill that came while a stop was at work',
    cause: 'stopped',
    given: {
      job: job(control('kill')),
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1, container: end(143) })),
    },
    expected: ['Finished', 'Stopped', 143, ''],
  },
  {
    what: 'canceled on a server that only knows parallelism, with a reason',
    cause: 'canceled',
    given: { job: job({ ...control('cancel', 'pending too long'), idle: true }), pod: seen(pod()) },
    expected: ['Canceled', 'Canceled', undefined, 'pending too long'],
  },
  {
    what: 'a cancel that the server did not take in',
    cause: 'running',
    given: { job: job(control('cancel')), pod: seen(pod()) },
    expected: ['Running', 'Running', undefined, ''],
  },
  {
    what: 'a cancel that came after the end',
    cause: 'container-ended',
    given: { job: job({ ...control('cancel'), suspended: true }), pod: seen(pod({ container: end(0) })) },
    expected: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'suspended by somebody after it had ended: the end stands',
    cause: 'container-ended',
    given: { job: job({ suspended: true }), pod: seen(pod({ container: end(3) }), false, 'end') },
    expected: ['Finished', 'Error', 3, 'ended with exit code 3'],
  },
  {
    what: 'suspended by another client, and its pod was removed',
    cause: 'suspended',
    given: { job: job({ suspended: true }), announced: RUNNING, ran: true },
    expected: ['Pending', 'Suspended', undefined, 'suspended in Kubernetes by another client'],
  },
  {
    what: 'removed while it ran, the Job controller has not said anything yet',
    cause: 'pod-removal-pending',
    given: { pod: seen(pod(), false), announced: RUNNING, ran: true },
    expected: ['Running', 'Running', undefined, 'its pod was deleted in Kubernetes by another client'],
  },
  {
    what: 'a pod evicted by its kubelet',
    cause: 'pod-removed',
    given: {
      job: job(FAILED),
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'Evicted',
          message: 'The node was low on resource: memory.',
          container: end(137),
        }),
      ),
    },
    expected: ['Killed', 'Evicted', 137, 'evicted: The node was low on resource: memory.'],
    isUnconfirmed: true,
  },
  {
    what: 'a node that shut down',
    cause: 'pod-removed',
    given: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'Terminated',
          message: 'Pod was terminated in response to imminent node shutdown.',
        }),
      ),
    },
    expected: [
      'Killed',
      'Terminated',
      undefined,
      'ended because its node shut down: Pod was terminated in response to imminent node shutdown.',
    ],
    isUnconfirmed: true,
  },
  {
    what: 'deleted and ended in the only version that was seen: asked for before the end',
    cause: 'pod-removed',
    given: { job: job(FAILED), pod: seen(pod({ ...DELETION, container: end(0) }), true) },
    expected: ['Killed', 'Deleted', 0, 'its pod was deleted in Kubernetes by another client'],
    isUnconfirmed: true,
  },
  {
    what: 'the same, but the end was first, by the times',
    cause: 'container-ended',
    given: {
      job: job(COMPLETE),
      pod: seen(pod({ deletion: { at: START + 60 * SECOND, graceSeconds: 30 }, container: end(0) })),
    },
    expected: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'the same, and the end was seen first',
    cause: 'container-ended',
    given: { job: job(COMPLETE), pod: seen(pod({ ...DELETION, container: end(0) }), false, 'end') },
    expected: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'its time limit, while it ran',
    cause: 'deadline-exceeded',
    given: {
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 5, container: end(143) })),
    },
    expected: ['Killed', 'DeadlineExceeded', 143, 'ran longer than its limit of 5 seconds'],
    isUnconfirmed: true,
  },
  {
    what: 'its time limit, while a sidecar held the pod',
    cause: 'container-ended',
    given: {
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 6, container: end(3) })),
    },
    expected: ['Finished', 'Error', 3, 'ended with exit code 3'],
  },
  {
    what: 'its time limit, before it had started',
    cause: 'deadline-exceeded',
    given: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'DeadlineExceeded',
          deadline: 60,
          container: { name: 'c', image: 'r:9', waiting: { reason: 'ErrImagePull', message: 'x: not found' } },
        }),
      ),
    },
    expected: [
      'Failed',
      'DeadlineExceeded',
      undefined,
      'did not start in time: image r:9 cannot be pulled: not found in registry',
    ],
    isUnconfirmed: true,
  },
  {
    what: 'deleted while the watch was interrupted, the Job controller has not decided yet',
    cause: 'pod-removal-pending',
    given: { pod: { ...seen(pod(), false), isEndUnknown: true }, announced: RUNNING, ran: true },
    expected: ['Running', 'Running', undefined, 'its pod was deleted; how it ended is not known'],
  },
  {
    what: 'deleted while the watch was interrupted, after exit code 0',
    cause: 'job-complete',
    given: { job: job(COMPLETE), pod: { ...seen(pod(), false), isEndUnknown: true }, announced: RUNNING, ran: true },
    expected: ['Finished', 'Completed', 0, 'its pod was deleted; how it ended is not known'],
    isUnconfirmed: true,
  },
  {
    what: 'its Job is being deleted, and a finalizer keeps it after its pod was removed',
    cause: 'job-deleted',
    given: { job: job({ deleting: true }), pod: seen(pod(DELETION), false), announced: RUNNING, ran: true },
    expected: ['Killed', 'Deleted', undefined, 'its Job was deleted in Kubernetes by another client'],
    isUnconfirmed: true,
  },
  {
    what: 'its Job is being deleted before it had a pod',
    cause: 'job-deleted',
    given: { job: job({ deleting: true }) },
    expected: ['Canceled', 'Deleted', undefined, 'its Job was deleted in Kubernetes by another client'],
    isUnconfirmed: true,
  },
  {
    what: 'resumed while its pod is still being deleted: it waits for a new one',
    cause: 'pending',
    given: { job: job({ resumedAt: START + 6 * SECOND }), pod: seen(pod(DELETION)), announced: RUNNING, ran: true },
    expected: ['Pending', 'Pending', undefined, ''],
  },
  {
    what: 'resumed after its pod was deleted, and no new pod can be created',
    cause: 'pending',
    given: {
      job: job({ resumedAt: START + 6 * SECOND }),
      pod: seen(pod(DELETION), false),
      announced: RUNNING,
      ran: true,
    },
    expected: ['Pending', 'Pending', undefined, ''],
  },
  {
    what: 'resumed, and its next pod was deleted',
    cause: 'pod-removal-pending',
    given: { job: job({ resumedAt: START }), pod: seen(pod(DELETION), false), announced: RUNNING, ran: true },
    expected: ['Running', 'Running', undefined, 'its pod was deleted in Kubernetes by another client'],
  },
];

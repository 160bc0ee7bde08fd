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
} from './situations.ts';

export const CONTROL_ROWS: readonly Case[] = [
  {
    what: 'the result that is written down',
    row: '1',
    seen: {
      job: job({ result: { state: 'Finished', statusCode: 'Stopped', exitCode: 143, message: 'm' } }),
      pod: seen(pod()),
    },
    told: ['Finished', 'Stopped', 143, 'm'],
  },
  {
    what: 'a terminal state that was announced',
    row: '1',
    seen: { announced: { state: 'Killed', statusCode: 'OOMKilled', message: 'x', exitCode: 137 }, pod: seen(pod()) },
    told: ['Killed', 'OOMKilled', 137, 'x'],
  },
  {
    what: 'killed, and the pod is gone after a restart of ours',
    row: '2',
    seen: { job: job(control('kill')) },
    told: ['Killed', 'Killed', 137, ''],
  },
  {
    what: 'killed, but its program ended with a code of its own',
    row: '11',
    seen: { job: job(control('kill')), pod: seen(pod({ phase: 'Failed', container: end(4) })) },
    told: ['Finished', 'Error', 4, 'ended with exit code 4'],
  },
  {
    what: 'stopped on an old kubelet, which never reports the exit code',
    row: '3',
    seen: {
      job: job(control('stop')),
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1 })),
    },
    told: ['Finished', 'Stopped', undefined, ''],
  },
  {
    what: 'a kill that came while a stop was at work',
    row: '3',
    seen: {
      job: job(control('kill')),
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 1, container: end(143) })),
    },
    told: ['Finished', 'Stopped', 143, ''],
  },
  {
    what: 'canceled on a server that only knows parallelism, with a reason',
    row: '4',
    seen: { job: job({ ...control('cancel', 'pending too long'), idle: true }), pod: seen(pod()) },
    told: ['Canceled', 'Canceled', undefined, 'pending too long'],
  },
  {
    what: 'a cancel that the server did not take in',
    row: '14',
    seen: { job: job(control('cancel')), pod: seen(pod()) },
    told: ['Running', 'Running', undefined, ''],
  },
  {
    what: 'a cancel that came after the end',
    row: '11',
    seen: { job: job({ ...control('cancel'), suspended: true }), pod: seen(pod({ container: end(0) })) },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'suspended by somebody after it had ended: the end stands',
    row: '11',
    seen: { job: job({ suspended: true }), pod: seen(pod({ container: end(3) }), false, 'end') },
    told: ['Finished', 'Error', 3, 'ended with exit code 3'],
  },
  {
    what: 'suspended by somebody else, and its pod was removed',
    row: '5',
    seen: { job: job({ suspended: true }), announced: RUNNING, ran: true },
    told: ['Pending', 'Suspended', undefined, 'suspended in Kubernetes by somebody else'],
  },
  {
    what: 'removed while it ran, the Job controller has not said anything yet',
    row: '6',
    seen: { pod: seen(pod(), false), announced: RUNNING, ran: true },
    told: ['Running', 'Running', undefined, 'its pod was deleted in Kubernetes by somebody else'],
  },
  {
    what: 'a pod evicted by its kubelet',
    row: '6a',
    seen: {
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
    told: ['Killed', 'Evicted', 137, 'evicted: The node was low on resource: memory.'],
    doubtful: true,
  },
  {
    what: 'a node that shut down',
    row: '6a',
    seen: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'Terminated',
          message: 'Pod was terminated in response to imminent node shutdown.',
        }),
      ),
    },
    told: [
      'Killed',
      'Terminated',
      undefined,
      'ended because its node shut down: Pod was terminated in response to imminent node shutdown.',
    ],
    doubtful: true,
  },
  {
    what: 'deleted and ended in the only version that was seen: asked for before the end',
    row: '6a',
    seen: { job: job(FAILED), pod: seen(pod({ ...DELETION, container: end(0) }), true) },
    told: ['Killed', 'Deleted', 0, 'its pod was deleted in Kubernetes by somebody else'],
    doubtful: true,
  },
  {
    what: 'the same, but the end was first, by the times',
    row: '11',
    seen: {
      job: job(COMPLETE),
      pod: seen(pod({ deletion: { at: START + 60 * SECOND, graceSeconds: 30 }, container: end(0) })),
    },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'the same, and the end was seen first',
    row: '11',
    seen: { job: job(COMPLETE), pod: seen(pod({ ...DELETION, container: end(0) }), false, 'end') },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'its time limit, while it ran',
    row: '7',
    seen: {
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 5, container: end(143) })),
    },
    told: ['Killed', 'DeadlineExceeded', 143, 'ran longer than its limit of 5 seconds'],
    doubtful: true,
  },
  {
    what: 'its time limit, while a sidecar held the pod',
    row: '11',
    seen: {
      pod: seen(pod({ phase: 'Failed', reason: 'DeadlineExceeded', deadline: 6, container: end(3) })),
    },
    told: ['Finished', 'Error', 3, 'ended with exit code 3'],
  },
  {
    what: 'its time limit, before it had started',
    row: '7',
    seen: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'DeadlineExceeded',
          deadline: 60,
          container: { name: 'c', image: 'r:9', waiting: { reason: 'ErrImagePull', message: 'x: not found' } },
        }),
      ),
    },
    told: [
      'Failed',
      'DeadlineExceeded',
      undefined,
      'did not start in time: image r:9 cannot be pulled: not found in registry',
    ],
    doubtful: true,
  },
];

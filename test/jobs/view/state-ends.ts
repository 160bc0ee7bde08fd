/** Cases in which the program, its container, its pod and at last its Job show what became of it. */
import { type Case, COMPLETE, control, DELETION, end, FAILED, job, pod, START, seen } from './state-cases.ts';

export const END_ROWS: readonly Case[] = [
  {
    what: 'a runtime that lost its container',
    cause: 'status-lost',
    given: {
      pod: seen(pod({ phase: 'Failed', container: end(137, { reason: 'ContainerStatusUnknown', message: 'gone' }) })),
      ran: true,
    },
    expected: ['Killed', 'ContainerStatusUnknown', undefined, 'gone'],
    isUnconfirmed: true,
  },
  {
    what: 'out of memory, the limit stands on the pod',
    cause: 'out-of-memory',
    given: {
      job: job(control('stop')),
      pod: seen(pod({ memoryLimit: '512M', container: end(137, { reason: 'OOMKilled' }) })),
    },
    expected: ['Killed', 'OOMKilled', 137, 'the container exceeded its limit of 512M'],
  },
  {
    what: 'a child out of memory, no limit known',
    cause: 'out-of-memory',
    given: { pod: seen(pod({ container: end(7, { reason: 'OOMKilled' }) })) },
    expected: ['Finished', 'OOMKilled', 7, 'the container ran out of memory'],
  },
  {
    what: 'exit code 137 without a control: what is not known yet may explain it',
    cause: 'container-ended',
    given: { pod: seen(pod({ container: end(137) })) },
    expected: ['Finished', 'Error', 137, 'ended with exit code 137'],
    isUnconfirmed: true,
  },
  {
    what: 'a program that wrote a termination message: that is the message of the job',
    cause: 'container-ended',
    given: { pod: seen(pod({ container: end(5, { message: 'no licence\n' }) })) },
    expected: ['Finished', 'Error', 5, 'no licence'],
  },
  {
    what: 'a program that is not there',
    cause: 'start-failed',
    given: {
      pod: seen(
        pod({
          container: {
            name: 'c',
            image: 'busybox',
            terminated: {
              exitCode: 128,
              reason: 'StartError',
              message:
                'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ' +
                'unable to start container process: exec: "/no/such/exe": stat /no/such/exe: no such file or directory',
            },
          },
        }),
      ),
    },
    expected: ['Failed', 'StartError', undefined, 'exec: "/no/such/exe": no such file or directory'],
  },
  {
    what: 'a node without room, after all',
    cause: 'pod-failed',
    given: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'OutOfcpu',
          message: "Pod was rejected: Node didn't have enough resource: cpu",
          container: { name: 'c', image: 'b' },
        }),
      ),
    },
    expected: ['Failed', 'OutOfcpu', undefined, "Pod was rejected: Node didn't have enough resource: cpu"],
  },
  {
    what: 'the same, being deleted when it was first seen: what the kubelet says came before',
    cause: 'pod-removed',
    given: {
      job: job(FAILED),
      pod: seen(
        pod({
          ...DELETION,
          phase: 'Failed',
          reason: 'UnexpectedAdmissionError',
          message: 'Pod was rejected: Allocate failed due to no healthy devices present',
          container: { name: 'c', image: 'b' },
        }),
      ),
    },
    expected: [
      'Failed',
      'UnexpectedAdmissionError',
      undefined,
      'Pod was rejected: Allocate failed due to no healthy devices present',
    ],
    isUnconfirmed: true,
  },
  {
    what: 'a pod with phase Succeeded and no terminated container',
    cause: 'pod-succeeded',
    given: { pod: seen(pod({ phase: 'Succeeded', container: { name: 'c', image: 'b' } })) },
    expected: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'complete, and the pod went before this process started',
    cause: 'job-complete',
    given: { job: job(COMPLETE) },
    expected: ['Finished', 'Completed', 0, 'its pod was deleted; how it ended is not known'],
    isUnconfirmed: true,
  },
  {
    what: 'failed, and the pod went before this process started',
    cause: 'job-failed',
    given: { job: job(FAILED) },
    expected: ['Failed', 'BackoffLimitExceeded', undefined, 'its pod was deleted; how it ended is not known'],
    isUnconfirmed: true,
  },
  {
    what: 'running on a node that is silent',
    cause: 'running',
    given: { pod: seen(pod({ nodeSilentSince: Date.parse('2026-11-01T10:00:00Z') })) },
    expected: ['Running', 'Running', undefined, 'node node0 has not responded since 2026-11-01T10:00:00Z'],
  },
  {
    what: 'running while it is being evicted',
    cause: 'running',
    given: {
      pod: seen(pod({ disruption: { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', at: START } })),
    },
    expected: ['Running', 'Running', undefined, 'is being ended: evicted: Eviction API: evicting'],
  },
  {
    what: 'running while we delete its pod',
    cause: 'running',
    given: { job: job(control('kill')), pod: seen(pod(DELETION)) },
    expected: ['Running', 'Running', undefined, ''],
  },
  {
    what: 'running without its input',
    cause: 'running',
    given: { pod: seen(pod()), inputProblem: 'its input was lost' },
    expected: ['Running', 'Running', undefined, 'its input was lost'],
  },
  {
    what: 'a Job that has failed, with a version of its pod from before it started',
    cause: 'pod-outdated',
    given: {
      job: job(FAILED),
      pod: seen(pod({ phase: 'Pending', container: { name: 'c', image: 'busybox' } })),
      announced: {
        outcome: { state: 'Running', statusCode: 'Running', message: 'its input was lost' },
        cause: 'running',
      },
    },
    expected: ['Running', 'Running', undefined, 'its input was lost'],
  },
  {
    what: 'a Job that has failed, announced as Pending, with a version of its pod from before it started',
    cause: 'pending',
    given: {
      job: job(FAILED),
      pod: seen(pod({ phase: 'Pending', container: { name: 'c', image: 'busybox' } })),
      announced: { outcome: { state: 'Pending', statusCode: 'Pending', message: '' }, cause: 'pending' },
    },
    expected: ['Pending', 'Pending', undefined, ''],
  },
  {
    what: 'nothing yet',
    cause: 'pending',
    given: { createWarning: 'unknown field' },
    expected: ['Pending', 'Pending', undefined, 'unknown field'],
  },
];

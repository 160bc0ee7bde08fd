/** Cases in which the program, its container, its pod and at last its Job show what became of it. */
import { type Case, COMPLETE, control, DELETION, end, FAILED, job, pod, START, seen } from './situations.ts';

export const END_ROWS: readonly Case[] = [
  {
    what: 'a runtime that lost its container',
    row: '9',
    seen: {
      pod: seen(pod({ phase: 'Failed', container: end(137, { reason: 'ContainerStatusUnknown', message: 'gone' }) })),
      ran: true,
    },
    told: ['Killed', 'ContainerStatusUnknown', undefined, 'gone'],
    doubtful: true,
  },
  {
    what: 'out of memory, the limit stands on the pod',
    row: '10',
    seen: {
      job: job(control('stop')),
      pod: seen(pod({ memoryLimit: '512M', container: end(137, { reason: 'OOMKilled' }) })),
    },
    told: ['Killed', 'OOMKilled', 137, 'out of memory (limit 512M)'],
  },
  {
    what: 'a child out of memory, no limit known',
    row: '10',
    seen: { pod: seen(pod({ container: end(7, { reason: 'OOMKilled' }) })) },
    told: ['Finished', 'OOMKilled', 7, 'out of memory'],
  },
  {
    what: 'exit code 137 without a control: what is not known yet may explain it',
    row: '11',
    seen: { pod: seen(pod({ container: end(137) })) },
    told: ['Finished', 'Error', 137, 'ended with exit code 137'],
    doubtful: true,
  },
  {
    what: 'its own last words',
    row: '11',
    seen: { pod: seen(pod({ container: end(5, { message: 'no licence\n' }) })) },
    told: ['Finished', 'Error', 5, 'no licence'],
  },
  {
    what: 'a program that is not there',
    row: '8',
    seen: {
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
    told: ['Failed', 'StartError', undefined, 'exec: "/no/such/exe": no such file or directory'],
  },
  {
    what: 'a node without room, after all',
    row: '12b',
    seen: {
      pod: seen(
        pod({
          phase: 'Failed',
          reason: 'OutOfcpu',
          message: "Pod was rejected: Node didn't have enough resource: cpu",
          container: { name: 'c', image: 'b' },
        }),
      ),
    },
    told: ['Failed', 'OutOfcpu', undefined, "Pod was rejected: Node didn't have enough resource: cpu"],
  },
  {
    what: 'the same, being deleted when it was first seen: what the kubelet says came before',
    row: '6a',
    seen: {
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
    told: [
      'Failed',
      'UnexpectedAdmissionError',
      undefined,
      'Pod was rejected: Allocate failed due to no healthy devices present',
    ],
    doubtful: true,
  },
  {
    what: 'succeeded, the container told nothing',
    row: '12a',
    seen: { pod: seen(pod({ phase: 'Succeeded', container: { name: 'c', image: 'b' } })) },
    told: ['Finished', 'Completed', 0, ''],
  },
  {
    what: 'complete, and the pod went before this process started',
    row: '13a',
    seen: { job: job(COMPLETE) },
    told: ['Finished', 'Completed', 0, 'its pod is gone; how it ended is not known'],
    doubtful: true,
  },
  {
    what: 'failed, and the pod went before this process started',
    row: '13b',
    seen: { job: job(FAILED) },
    told: ['Failed', 'BackoffLimitExceeded', undefined, 'its pod is gone; how it ended is not known'],
    doubtful: true,
  },
  {
    what: 'running on a node that is silent',
    row: '14',
    seen: { pod: seen(pod({ nodeSilentSince: Date.parse('2026-11-01T10:00:00Z') })) },
    told: ['Running', 'Running', undefined, 'node node0 does not answer since 2026-11-01T10:00:00Z'],
  },
  {
    what: 'running while it is being evicted',
    row: '14',
    seen: {
      pod: seen(pod({ disruption: { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', at: START } })),
    },
    told: ['Running', 'Running', undefined, 'is being ended: evicted: Eviction API: evicting'],
  },
  {
    what: 'running while we delete its pod',
    row: '14',
    seen: { job: job(control('kill')), pod: seen(pod(DELETION)) },
    told: ['Running', 'Running', undefined, ''],
  },
  {
    what: 'running without its input',
    row: '14',
    seen: { pod: seen(pod()), inputProblem: 'its input was lost' },
    told: ['Running', 'Running', undefined, 'its input was lost'],
  },
  {
    what: 'nothing yet',
    row: '15',
    seen: { createWarning: 'unknown field' },
    told: ['Pending', 'Pending', undefined, 'unknown field'],
  },
];

/** The details of a job come from its newest pod. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { effectiveLimits, type JobDetail, resourcesText } from '../../src/cli/job-detail.ts';
import { aJob } from '../launcher/fake-jobs.ts';

const pod = (cpu: string): Pod => ({
  spec: { containers: [{ name: 'rs-launcher-container', resources: { limits: { cpu } } }] },
});

const detail = (pods: readonly Pod[]): JobDetail =>
  ({ job: aJob({ id: 'job-1', resourceLimits: [{ type: 'cpuCount', value: '7' }] }), pods }) as unknown as JobDetail;

t.test('the limits are those of the newest pod', async (t) => {
  t.match(effectiveLimits(detail([pod('1'), pod('2')])), [{ type: 'cpuCount', value: '2' }]);
});

t.test('without a pod the limits are those of the request', async (t) => {
  t.same(effectiveLimits(detail([])), [{ type: 'cpuCount', value: '7' }]);
});

t.test('amounts of 0, and requests that equal their limit, are not shown', async (t) => {
  const limits = [
    { type: 'cpuCount', value: '2' },
    { type: 'CPU Request', value: '2.0' },
    { type: 'memory', value: '512' },
    { type: 'Memory Request', value: '256' },
    { type: 'NVIDIA GPUs', value: '0' },
  ];
  t.equal(resourcesText(limits), '2 CPU, 512 MB; requested: 256 MB');
});

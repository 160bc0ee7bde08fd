/** A job gets what it or its resource profile asks for, of CPUs, memory and GPUs, within the limits of its profile. */
import fc from 'fast-check';
import t from 'tap';
import { container, INIT, limits, make, refused, spec } from './policed.ts';

t.test('CPU and memory are those of the job, or the defaults of its profile, up to the maxima', async (t) => {
  const rows: [profile: string, asked: Record<string, string>, limits: unknown, requests: unknown][] = [
    ['', {}, undefined, undefined],
    ['', { cpuCount: '0', memory: '0.0' }, undefined, undefined],
    ['', { cpuCount: '', memory: '' }, undefined, undefined],
    ['', { cpuCount: '1.000000', memory: '512.000000' }, { cpu: '1', memory: '512M' }, { cpu: '1', memory: '512M' }],
    ['', { cpuCount: '0.5' }, { cpu: '500m' }, { cpu: '500m' }],
    ['', { cpuCount: '1.1', memory: '0.2' }, { cpu: '1100m', memory: '1M' }, { cpu: '1100m', memory: '1M' }],
    ['', { cpuCount: '0.0001', memory: '512.01' }, { cpu: '1m', memory: '513M' }, { cpu: '1m', memory: '513M' }],
    ['', { cpuCount: '1.0000000001' }, { cpu: '1001m' }, { cpu: '1001m' }],
    ['default-cpus=1\ndefault-mem-mb=512', {}, { cpu: '1', memory: '512M' }, { cpu: '1', memory: '512M' }],
    ['default-cpus=1', { cpuCount: '0' }, { cpu: '1' }, { cpu: '1' }],
    ['default-cpus=1', { cpuCount: '3' }, { cpu: '3' }, { cpu: '3' }],
    ['max-cpus=2\nmax-mem-mb=1024', {}, { cpu: '2', memory: '1024M' }, { cpu: '2', memory: '1024M' }],
    ['max-cpus=2', { cpuCount: '0' }, { cpu: '2' }, { cpu: '2' }],
    ['default-cpus=1\nmax-cpus=2', {}, { cpu: '1' }, { cpu: '1' }],
    ['max-cpus=2', { cpuCount: '2.0' }, { cpu: '2' }, { cpu: '2' }],
    [
      'cpu-request-ratio=0.5\nmemory-request-ratio=0.25',
      { cpuCount: '1', memory: '1001' },
      { cpu: '1', memory: '1001M' },
      { cpu: '500m', memory: '251M' },
    ],
    ['cpu-request-ratio=0.1', { cpuCount: '3' }, { cpu: '3' }, { cpu: '300m' }],
    ['cpu-request-ratio=0.3333', { cpuCount: '0.001' }, { cpu: '1m' }, { cpu: '1m' }],
    ['cpu-request-ratio=0.5', {}, undefined, undefined],
    ['cpu-request-ratio=0.5', { cpuCount: '2', 'CPU Request': '1.5' }, { cpu: '2' }, { cpu: '1500m' }],
    ['cpu-request-ratio=0.5', { cpuCount: '2', 'CPU Request': '0' }, { cpu: '2' }, { cpu: '1' }],
    ['', { 'CPU Request': '0.1', 'Memory Request': '10' }, undefined, { cpu: '100m', memory: '10M' }],
    ['default-cpus-request=0.2\ncpu-request-ratio=0.5', { cpuCount: '2' }, { cpu: '2' }, { cpu: '200m' }],
    ['default-mem-mb-request=100', {}, undefined, { memory: '100M' }],
    ['default-mem-mb-request=100', { 'Memory Request': '50' }, undefined, { memory: '50M' }],
    ['max-cpus-request=1', { cpuCount: '4' }, { cpu: '4' }, { cpu: '1' }],
    ['default-cpus-request=2', { cpuCount: '1' }, { cpu: '1' }, { cpu: '1' }],
    ['default-mem-mb-request=512', { memory: '100.5' }, { memory: '101M' }, { memory: '101M' }],
    ['max-cpus=4\nmax-cpus-request=1', { 'CPU Request': '1' }, { cpu: '4' }, { cpu: '1' }],
  ];
  for (const [profile, asked, expectedLimits, expectedRequests] of rows) {
    const { resources } = container(make(profile, limits(asked))) ?? {};
    const what = `${profile.replaceAll('\n', ' ')} ${JSON.stringify(asked)}`;
    t.same(resources?.limits, expectedLimits, `limits: ${what}`);
    t.same(resources?.requests, expectedRequests, `requests: ${what}`);
  }
});

t.test('CPU and memory that are above a maximum, or no number, are refused', async (t) => {
  const rows: [profile: string, asked: Record<string, string>, said: string][] = [
    ['max-cpus=2', { cpuCount: '2.001' }, 'cpuCount 2.001 is above the maximum of 2 (max-cpus, F:2).'],
    ['max-mem-mb=1024', { memory: '1025' }, 'memory 1025 is above the maximum of 1024 (max-mem-mb, F:2).'],
    ['', { cpuCount: '2', 'CPU Request': '3' }, 'CPU Request 3 is above the limit, cpuCount 2.'],
    ['max-cpus=2', { 'CPU Request': '3' }, 'CPU Request 3 is above the limit, max-cpus=2 (F:2).'],
    ['default-cpus=1', { 'CPU Request': '3' }, 'CPU Request 3 is above the limit, default-cpus=1 (F:2).'],
    [
      'max-mem-mb-request=100',
      { 'Memory Request': '101' },
      'Memory Request 101 is above the maximum of 100 (max-mem-mb-request, F:2).',
    ],
    ['', { cpuCount: '1e3' }, 'resourceLimits: cpuCount "1e3" must be a number such as 1.5.'],
    ['', { cpuCount: '-1' }, 'resourceLimits: cpuCount "-1" must be a number such as 1.5.'],
    ['', { memory: '1G' }, 'resourceLimits: memory "1G" must be a number such as 1.5.'],
    ['', { memory: 'NaN' }, 'resourceLimits: memory "NaN" must be a number such as 1.5.'],
    [
      'max-cpus=2',
      { cpuCount: `${'9'.repeat(400)}` },
      `resourceLimits: cpuCount "${'9'.repeat(400)}" must be a number such as 1.5.`,
    ],
  ];
  for (const [profile, asked, said] of rows) t.equal(refused(profile, limits(asked)), said);
});

t.test('a limit that is given twice is refused', async (t) => {
  const twice = {
    resourceLimits: [
      { type: 'cpuCount', value: '1' },
      { type: 'cpuCount', value: '99' },
    ],
  };
  t.equal(refused('max-cpus=2', twice), 'resourceLimits: cpuCount is given twice.');
});

t.test('no job gets more than the maximum, whatever it asks', async (t) => {
  const amount = fc.oneof(
    fc.constant(0),
    fc.double({ min: 0.001, max: 1000, noNaN: true }).map((n) => Number(n.toFixed(4))),
  );
  const asked = fc.option(amount, { nil: undefined });
  const input = fc.record({ max: amount, byDefault: amount, maxRequest: amount, limit: asked, request: asked });
  fc.assert(
    fc.property(input, ({ max, byDefault, maxRequest, limit, request }) => {
      fc.pre(max === 0 || byDefault <= max);
      const lines = `max-cpus=${max}\ndefault-cpus=${byDefault}\nmax-cpus-request=${maxRequest}`;
      const wanted = limits({
        ...(limit === undefined ? {} : { cpuCount: String(limit) }),
        ...(request === undefined ? {} : { 'CPU Request': String(request) }),
      });
      if (refused(lines, wanted) !== 'allowed') return true;
      const { limits: got, requests } = container(make(lines, wanted))?.resources ?? {};
      const cpus = (text: string | undefined): number | undefined =>
        text === undefined ? undefined : text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text);
      const [most, part] = [cpus(got?.['cpu']), cpus(requests?.['cpu'])];
      if (max > 0 && (most === undefined || most > max + 0.001)) return false;
      if (maxRequest > 0 && part !== undefined && part > maxRequest + 0.001) return false;
      return most === undefined || part === undefined || part <= most;
    }),
  );
  t.pass();
});

t.test('GPUs are those of the job, or the default, and none without a maximum', async (t) => {
  const gpus = (profile: string, asked: Record<string, string>): unknown =>
    container(make(profile, limits(asked)))?.resources?.limits;
  t.same(gpus('', {}), undefined);
  t.same(gpus('max-nvidia-gpus=2', {}), undefined);
  t.same(gpus('max-nvidia-gpus=2\nmax-amd-gpus=3', { 'NVIDIA GPUs': '1.000000', 'AMD GPUs': '3' }), {
    'nvidia.com/gpu': '1',
    'amd.com/gpu': '3',
  });
  t.same(gpus('max-nvidia-gpus=2\ndefault-nvidia-gpus=1', {}), { 'nvidia.com/gpu': '1' });
  t.same(
    gpus('max-nvidia-gpus=2\ndefault-nvidia-gpus=1', { 'NVIDIA GPUs': '0' }),
    undefined,
    '0 overrides the default',
  );
  t.same(gpus('default-amd-gpus=1', {}), undefined, 'no maximum, no GPUs');
  t.same(gpus('', { 'NVIDIA GPUs': '0' }), undefined);
});

t.test('GPUs above the maximum, and parts of a GPU, are refused', async (t) => {
  const rows: [profile: string, asked: Record<string, string>, said: string][] = [
    ['', { 'NVIDIA GPUs': '1' }, 'NVIDIA GPUs 1 is above the maximum of no GPUs (max-nvidia-gpus is not set).'],
    ['max-amd-gpus=0', { 'AMD GPUs': '1' }, 'AMD GPUs 1 is above the maximum of no GPUs (max-amd-gpus, F:2).'],
    ['max-nvidia-gpus=2', { 'NVIDIA GPUs': '3' }, 'NVIDIA GPUs 3 is above the maximum of 2 (max-nvidia-gpus, F:2).'],
    ['max-nvidia-gpus=2', { 'NVIDIA GPUs': '0.5' }, 'resourceLimits: NVIDIA GPUs 0.5 must be a whole number of GPUs.'],
  ];
  for (const [profile, asked, said] of rows) t.equal(refused(profile, limits(asked)), said);
});

t.test('limits by other names are not requested from Kubernetes', async (t) => {
  t.same(container(make('', limits({ 'nvidia.com/gpu': '8', 'example.com/fpga': '1' })))?.resources, undefined);
});

t.test('init containers have the limits of the job, without GPUs', async (t) => {
  const job = make('max-cpus=2\nmax-nvidia-gpus=1\ndrop-capabilities=NET_RAW\nimage-pull-policy=Always', {
    ...limits({ 'NVIDIA GPUs': '1' }),
    container: { image: 'r:4', capabilitiesAdd: ['SYS_PTRACE'] },
    initContainers: [INIT],
  });
  t.match(spec(job).initContainers?.[0], {
    imagePullPolicy: 'Always',
    resources: { limits: { cpu: '2' }, requests: { cpu: '2' } },
    securityContext: { capabilities: { drop: ['NET_RAW'] } },
  });
  t.same(Object.keys(spec(job).initContainers?.[0]?.resources?.limits ?? {}), ['cpu']);
  t.notMatch(spec(job).initContainers?.[0]?.securityContext, { capabilities: { add: [] } });
});

t.test('the amounts of a resource profile replace those of the job', async (t) => {
  const request = { resourceProfile: 'small', ...limits({ cpuCount: '9', memory: '9' }) };
  t.same(container(make('', request))?.resources, {
    limits: { cpu: '1', memory: '512M' },
    requests: { cpu: '500m', memory: '256M' },
  });
});

t.test('the resource profile custom keeps the amounts of the job', async (t) => {
  t.same(container(make('', { resourceProfile: 'custom', ...limits({ cpuCount: '9' }) }))?.resources, {
    limits: { cpu: '9' },
    requests: { cpu: '9' },
  });
});

t.test('a resource profile selects nodes', async (t) => {
  t.same(spec(make('', { resourceProfile: 'placed' })).nodeSelector, { pool: 'gpu' });
});

t.test('a resource profile above a maximum is refused, with the place of its amount', async (t) => {
  t.equal(
    refused('max-cpus=32', { resourceProfile: 'huge' }),
    'cpuCount 64 of resource profile huge, R:9 is above the maximum of 32 (max-cpus, F:2).',
  );
  t.equal(
    refused('', { resourceProfile: 'huge' }),
    'NVIDIA GPUs 2 of resource profile huge, R:10 is above the maximum of no GPUs (max-nvidia-gpus is not set).',
  );
});

t.test('a resource profile that does not exist is refused', async (t) => {
  t.equal(refused('', { resourceProfile: 'none' }), 'There is no resource profile none.');
});

t.test('a resource profile that the user may not use is refused', async (t) => {
  t.equal(
    refused('resource-profiles=small', { resourceProfile: 'huge' }),
    'Resource profile huge is not allowed (resource-profiles, F:2).',
  );
});

const NO_PROFILE = 'The job must name a resource profile (allow-custom-resources, F:2).';

t.test('without custom resources a job must name a resource profile', async (t) => {
  t.equal(refused('allow-custom-resources=0', {}), NO_PROFILE);
  t.equal(refused('allow-custom-resources=0', { resourceProfile: 'custom' }), NO_PROFILE);
  t.equal(refused('allow-custom-resources=0', { resourceProfile: 'small' }), 'allowed');
});

const LOCKED = 'allow-custom-resources=0\nresource-profiles=small\nmax-cpus=4';
const ADMINISTRATOR = { requester: '*' };

t.test('a system job of an administrator needs no allowed resource profile', async (t) => {
  t.equal(refused(LOCKED, { systemJob: true }, ADMINISTRATOR), 'allowed');
  t.equal(refused(LOCKED, { systemJob: true, resourceProfile: 'placed' }, ADMINISTRATOR), 'allowed');
});

t.test('other jobs of an administrator, and jobs that a user calls system jobs, need a resource profile', async (t) => {
  t.equal(refused(LOCKED, { systemJob: true }), NO_PROFILE);
  t.equal(refused(LOCKED, {}, ADMINISTRATOR), NO_PROFILE);
});

t.test('maxima apply to system jobs', async (t) => {
  t.match(refused(LOCKED, { systemJob: true, resourceProfile: 'huge' }, ADMINISTRATOR), /above the maximum of 4/);
});

const HUGE = { resourceProfile: 'huge' };
const GPUS = { cpu: '64', 'nvidia.com/gpu': '2' };

t.test('GPUs of a resource profile that the user is given by name need no maximum', async (t) => {
  t.same(container(make('resource-profiles=small,huge', HUGE))?.resources?.limits, GPUS);
});

t.test('GPUs of a resource profile need a maximum where all resource profiles are allowed', async (t) => {
  t.match(refused('', HUGE), /^NVIDIA GPUs 2 of resource profile huge, R:\d+ is above the maximum of no GPUs/);
  t.match(refused('resource-profiles=all', HUGE), /is above the maximum of no GPUs \(max-nvidia-gpus is not set\)\.$/);
});

t.test('a GPU maximum that is written applies to every resource profile', async (t) => {
  t.match(
    refused('resource-profiles=huge\nmax-nvidia-gpus=1', HUGE),
    /is above the maximum of 1 \(max-nvidia-gpus, F:3\)\.$/,
  );
  t.match(
    refused('resource-profiles=huge\nmax-nvidia-gpus=0', HUGE),
    /is above the maximum of no GPUs \(max-nvidia-gpus, F:3\)\.$/,
  );
});

t.test('32,000 different limits are resolved in linear time', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 32_000 }, (_, index) => [`type-${index}`, '1']));
  const began = process.cpuUsage().user;
  t.match(refused('', limits({ ...many, cpuCount: '1' })), /^The job's description has 1077014 bytes/);
  const ms = (process.cpuUsage().user - began) / 1000;
  t.ok(ms < 2_000, `${ms} ms`);
});

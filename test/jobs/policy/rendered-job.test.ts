/** The policy judges what a template renders: amounts and image of the job's own containers, and what its text names. */
import t from 'tap';
import { effectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import { resolveJob } from '../../../src/jobs/policy/policy.ts';
import { templatesOf } from '../objects/templating.ts';
import { builtJob, CONTEXT } from '../requests.ts';
import { INIT, OWN_ACCOUNT, REQUEST, RESOURCES } from './policed.ts';

const template = (container: string, pod = '') => `apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      containers:
        - name: rs-launcher-container
${container}
${pod}`;

/** The sentence that refuses a request under a template and a profile. */
function refused(text: string, lines: string, request: Partial<JobRequest> = {}): string {
  const { profiles } = parseProfiles('F', `[*]\n${lines}`);
  try {
    const resolved = resolveJob({
      request: { ...REQUEST, ...request },
      requester: 'jane',
      profile: effectiveProfile(profiles, { names: ['jane'], inGroup: () => false }),
      resourceProfiles: parseResourceProfiles('R', RESOURCES).profiles,
      user: undefined,
      ownAccount: OWN_ACCOUNT,
      group: '',
      overrides: [],
    });
    builtJob(resolved, { ...CONTEXT, templates: templatesOf({ 'job.tpl': text }) });
    return 'allowed';
  } catch (error) {
    if (error instanceof JobError && error.code === 'invalid-request') return error.message;
    throw error;
  }
}

const IMAGE = '          image: {{ .Job.container.image }}\n';
const limits = (text: string): string => `${IMAGE}          resources: {limits: {${text}}}`;

t.test('a limit above the maximum is refused', async (t) => {
  t.equal(refused(template(limits('cpu: 2')), 'max-cpus=2'), 'allowed');
  t.equal(
    refused(template(limits('cpu: 2500m')), 'max-cpus=2'),
    'The template job.tpl renders container rs-launcher-container with a limit of cpu above the maximum of 2 (max-cpus, F:2).',
  );
  t.equal(
    refused(template(limits('memory: 2Gi')), 'max-mem-mb=2000'),
    'The template job.tpl renders container rs-launcher-container with a limit of memory above the maximum of 2000 (max-mem-mb, F:2).',
  );
});

t.test('a limit that is missing although there is a maximum is refused', async (t) => {
  t.equal(
    refused(template(limits('memory: 1M')), 'max-cpus=2'),
    'The template job.tpl renders container rs-launcher-container without a limit of cpu; the maximum is 2 (max-cpus, F:2).',
  );
});

t.test('GPUs need a maximum', async (t) => {
  t.equal(
    refused(template(limits('nvidia.com/gpu: 1')), ''),
    'The template job.tpl renders container rs-launcher-container with a limit of nvidia.com/gpu above the maximum of 0 (max-nvidia-gpus is not set).',
  );
});

t.test('GPUs of a resource profile need no maximum, its other amounts do', async (t) => {
  const request = { resourceProfile: 'huge' };
  const profile = 'resource-profiles=huge\nmax-cpus=64\nmax-nvidia-gpus=2';
  t.equal(refused(template(limits('nvidia.com/gpu: 3, cpu: 64')), profile, request), 'allowed');
  t.equal(
    refused(template(limits('nvidia.com/gpu: 2, cpu: 65')), profile, request),
    'The template job.tpl renders container rs-launcher-container with a limit of cpu above the maximum of 64 (max-cpus, F:3).',
  );
});

t.test('an image that is not allowed is refused', async (t) => {
  t.match(
    refused(template('          image: other:1'), 'allow-unknown-images=0\ncontainer-images=r:4'),
    /^Image other:1 is not one of r:4 /,
  );
});

t.test('containers of the template itself are the decision of its author', async (t) => {
  const sidecar = '        - {name: sidecar, image: other:1, resources: {limits: {cpu: 64}}}';
  t.equal(
    refused(template(`${limits('cpu: 1')}\n${sidecar}`), 'max-cpus=1\nallow-unknown-images=0\ncontainer-images=r:4'),
    'allowed',
  );
});

t.test('init containers of the job are judged, too', async (t) => {
  const inits = '      initContainers: [{name: i, image: other:1}]';
  t.match(
    refused(template(IMAGE, inits), 'allow-unknown-images=0\ncontainer-images=r:4,init:1', { initContainers: [INIT] }),
    /^Image other:1 is not one of /,
  );
});

t.test('a Secret that text of the job names is judged', async (t) => {
  const volumes = '      volumes: [{name: v, secret: {secretName: {{ toJson .Job.workingDirectory }}}}]';
  t.equal(
    refused(template(IMAGE, volumes), 'secrets=none', { workingDirectory: "it's-mine" }),
    "The rendered Job: Secret it's-mine is not allowed (secrets, F:2).",
  );
  t.equal(
    refused(template(IMAGE, '      volumes: [{name: v, secret: {secretName: theirs}}]'), 'secrets=none', {
      workingDirectory: "it's",
    }),
    'allowed',
  );
});

/** The policy judges what a template renders: amounts and image of the job's own containers, and what its text names. */
import t from 'tap';
import { effectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import { resolveJob } from '../../../src/jobs/policy/policy.ts';
import { BARE_TEMPLATE, templatesOf } from '../objects/templating.ts';
import { builtJob, CONTEXT } from '../requests.ts';
import { INIT, mount, OWN_ACCOUNT, REQUEST, RESOURCES } from './policed.ts';

const template = (container: string, pod = '') => `${BARE_TEMPLATE}${container}
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
  const inits = '      initContainers: [{{ range .Job.initContainers }}{name: {{ .name }}, image: other:1}{{ end }}]';
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

t.test('a Secret that no job gets is refused however its name came about', async (t) => {
  const volumes = '      volumes: {{ nospace (toJson .Job.volumes) }}';
  const mounts = '          volumeMounts: {{ toJson .Job.volumeMounts }}';
  const named = (secretName: string) => mount('passthrough', { secret: { secretName } });
  t.equal(
    refused(template(IMAGE + mounts, volumes), '', named('job-launcher -token')),
    'The rendered Job: Secret job-launcher-token holds a token of the plugin and cannot be used by jobs.',
  );
  t.equal(
    refused(template(IMAGE + mounts, volumes), '', named('a-job-0123456789 -stdin')),
    'The rendered Job: Secret a-job-0123456789-stdin holds the input of a job and cannot be used.',
  );
  t.equal(refused(template(IMAGE + mounts, volumes), '', named('keys')), 'allowed');
});

t.test('a name or path with escapes, which the quotes of the template decode, is judged as it is sent', async (t) => {
  const pod = `      volumes:
        {{- range .Job.volumes }}
        - {name: {{ .name }}, secret: {secretName: "{{ .secret.secretName }}"}}
        {{- end }}`;
  const mounts = `${IMAGE}          volumeMounts: {{ toJson .Job.volumeMounts }}`;
  const secret = mount('passthrough', { secret: { secretName: 'job-launcher-t\\x6fken' } });
  t.equal(
    refused(template(mounts, pod), '', secret),
    'The rendered Job: Secret job-launcher-token holds a token of the plugin and cannot be used by jobs.',
  );
  const path = `      volumes:
        {{- range .Job.volumes }}
        - {name: {{ .name }}, hostPath: {path: "{{ .hostPath.path }}"}}
        {{- end }}`;
  t.equal(
    refused(template(mounts, path), 'host-paths=/data', mount('host', { path: '/data/\\x2e\\x2e/etc' })),
    'The rendered Job: host path "/data/../etc" must be absolute and without "..".',
  );
});

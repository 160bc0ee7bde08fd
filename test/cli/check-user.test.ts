/** `check --user` reports whether a job of that user is accepted, and whether the user can become root on a node, with lines. */
import t from 'tap';
import { documentedRules } from '../cluster/api/access.ts';
import { SMALLEST, startChecked } from './cluster.ts';
import { linesOf } from './harness.ts';

const { cluster, check } = await startChecked();
t.teardown(() => cluster.close());

const PROFILES = `[*]
container-images=r-session:4.5,Bad Image
placement-constraints=region:us,region:eu
max-cpus=2

[jane]
container-images=r-session:4.5
allow-unknown-images=0
placement-constraints=region:us
mount-types=nfs
capabilities=none
service-accounts=none
`;

const FILES = {
  'launcher.kubernetes.profiles.conf': PROFILES.replace(',Bad Image', ',Bad_Image:x:y'),
  'launcher.kubernetes.resources.conf': '[small]\ncpus=1\n\n[big]\ncpus=8\n',
};

const STEPS = ['user', 'images', 'user-labels', 'resources', 'user-job', 'root-on-node'];

t.test('a user without a section of their own', async (t) => {
  const files = FILES;
  const somebody = await check(t, documentedRules('rstudio'), { files }, ['--user', 'nosuchuser']);
  t.strictSame(
    STEPS.flatMap((step) => linesOf(somebody, step)),
    [
      'ok user nosuchuser (not a user of this host, so in no group): [*] line 1',
      'ok images 1 of 2 images have no valid name, see sections above',
      'ok user-labels 2 offered; 1 of them match no node, see constraints above',
      'warning resources big is offered, but a job with it is refused: cpuCount 8 of resource profile big, DIR/launcher.kubernetes.resources.conf:5 is above the maximum of 2 (max-cpus, DIR/launcher.kubernetes.profiles.conf:4) -> raise the maximum, reduce the resource profile, or remove it from resource-profiles',
      'ok user-job a job with image r-session:4.5 and default settings is allowed, and the API server accepts it (dry run); one without an image is refused (no default-container-image)',
      'warning root-on-node nosuchuser can become root on a node: a job may mount any directory of the node as any user (mount-types, host-paths, run-as not set); or make the node mount volumes of any kind as root (mount-types, volume-kinds not set); or use any claim or persistent volume, also one that is a directory of a node (claims not set); or run a root or setuid program with any capability (capabilities, pod-security not set); or create privileged pods with the token of a service account, because the group binding makes it an administrator (service-accounts, secrets not set) -> set these keys in the profiles file, as the example hardened.profiles.conf does: mount-types, volume-kinds, claims, host-paths, run-as, pod-security, capabilities, secrets, service-accounts',
    ],
  );
});

t.test('image names and constraints of all sections have their lines', async (t) => {
  const outcome = await check(t, SMALLEST, { files: FILES });
  const file = 'DIR/launcher.kubernetes.profiles.conf';
  t.strictSame(
    [...linesOf(outcome, 'sections'), ...linesOf(outcome, 'constraints')],
    [
      `warning sections ${file}:2: container-images: Bad_Image:x:y is not a valid image name -> write it as [registry/]name[:tag], in lower case`,
      `warning constraints ${file}:3: placement constraint region=eu: no node has this label; a job with it stays Pending -> kubectl label node NODE region=eu`,
    ],
  );
});

t.test('allow-custom-resources=0 with a resource profile is a valid configuration', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf': '[*]\nallow-custom-resources=0\n',
    'launcher.kubernetes.resources.conf': '[small]\ncpus=1\n',
  };
  const outcome = await check(t, SMALLEST, { files }, ['--user=jane']);
  t.match(linesOf(outcome, 'user-job')[0], /^ok user-job a job with image busybox and default settings is allowed/);
  t.equal(outcome.code, 0);
});

t.test('a user with a section of their own', async (t) => {
  const files = FILES;
  const jane = await check(t, SMALLEST, { files }, ['--user=jane']);
  t.strictSame(
    STEPS.flatMap((step) => linesOf(jane, step)).filter((line) => !line.startsWith('warning resources')),
    [
      'ok user jane (not a user of this host, so in no group): [*] line 1, [jane] line 6',
      'ok images r-session:4.5; no other image; no default',
      'ok user-labels 1 offered; each matches a node',
      'ok user-job a job with image r-session:4.5 and default settings is allowed, and the API server accepts it (dry run); one without an image is refused (no default-container-image)',
      'ok root-on-node jane cannot become root on a node through a job',
    ],
  );
});

t.test('a user with a default image', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[jane]\ndefault-container-image=r-session:4.5\n' };
  t.strictSame(linesOf(await check(t, SMALLEST, { files }, ['--user=jane']), 'user-job'), [
    'ok user-job a job with default settings is allowed, and the API server accepts it (dry run)',
  ]);
});

t.test('a user without any restriction', async (t) => {
  const free = await check(t, SMALLEST, {}, ['--user=nosuchuser']);
  t.strictSame(
    [...linesOf(free, 'resources'), ...linesOf(free, 'user-job')],
    [
      'ok resources no resource profiles',
      'ok user-job a job with image busybox and default settings is allowed, and the API server accepts it (dry run); one without an image is refused (no default-container-image)',
    ],
  );
});

const file = 'DIR/launcher.kubernetes.profiles.conf';
const override = (pointer: string, file: string): string =>
  `job-json-overrides="/spec/template/spec/${pointer}":"DIR/${file}.json"`;
const OVERRIDE_FILES = {
  'launcher.kubernetes.profiles.conf': [
    ...['[*]', override('hostAliases', 'aliases')],
    ...['[@nogroup]', override('tolerations/-', 'typo')],
    ...['[jane]', override('tolerations/-', 'typo')],
    ...['[joe]', override('containers/7', 'aliases')],
  ].join('\n'),
  'aliases.json': '[{"ip":"10.0.0.1","hostnames":["a"]}]',
  'typo.json': '{"kee":"gpu"}',
};

t.test('sends the overrides of all sections to the API server, equal ones once', async (t) => {
  const typo =
    /^failed overrides DIR\/launcher\.kubernetes\.profiles\.conf:4, DIR\/launcher\.kubernetes\.profiles\.conf:6: job-json-overrides: .*unknown field "spec\.template\.spec\.tolerations\[0\]\.kee".* -> fix this line of the profiles, or the file it names$/;
  const outcome = await check(t, SMALLEST, { files: OVERRIDE_FILES });
  const lines = linesOf(outcome, 'overrides');
  t.match(lines[0], typo);
  t.strictSame(lines.slice(1), [
    `failed overrides ${file}:8: The job-json-override /spec/template/spec/containers/7 (DIR/aliases.json) cannot be applied: the list has no element "7" (it has 1; - and 1 append) -> fix this line of the profiles`,
  ]);
  t.equal(outcome.code, 1);
});

t.test('--user reports an override that the API server refuses', async (t) => {
  const jane = await check(t, SMALLEST, { files: OVERRIDE_FILES }, ['--user=jane']);
  t.match(
    linesOf(jane, 'user-job')[0],
    /^failed user-job DIR\/launcher\.kubernetes\.profiles\.conf:6: job-json-overrides: .*unknown field .*kee/,
  );
});

t.test('overrides that the API server accepts', async (t) => {
  const files = {
    ...OVERRIDE_FILES,
    'launcher.kubernetes.profiles.conf': `[*]\n${override('hostAliases', 'aliases')}\n`,
  };
  t.strictSame(linesOf(await check(t, SMALLEST, { files }), 'overrides'), [
    'ok overrides the overrides of the profiles can be applied, and the API server accepts the job (dry run)',
  ]);
});

t.test('overrides of two sections that the API server accepts', async (t) => {
  const files = {
    ...OVERRIDE_FILES,
    'launcher.kubernetes.profiles.conf': `[*]\n${override('hostAliases', 'aliases')}\n[jane]\n${override('hostAliases/-', 'alias')}\n`,
    'alias.json': '{"ip":"10.0.0.2","hostnames":["b"]}',
  };
  t.strictSame(linesOf(await check(t, SMALLEST, { files }), 'overrides'), [
    'ok overrides each of 2 lists of overrides of the profiles can be applied, and the API server accepts the job (dry run)',
  ]);
});

t.test('a profile that allows no job', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf':
      '[*]\nallow-unknown-images=0\nallow-custom-resources=0\nrun-as=own\njob-json-overrides="/spec/template/spec/containers/7":"DIR/piece.json"\n',
    'piece.json': '{}',
  };
  const outcome = await check(t, SMALLEST, { files }, ['--user', 'nosuchuser']);
  t.strictSame(
    ['user', 'images', 'resources', 'user-job'].flatMap((step) => linesOf(outcome, step)),
    [
      'failed user nosuchuser (not a user of this host, so in no group): [*] line 1; jobs of this user are refused -> add the user to this host, or change run-as in the profile: run-as=own needs a uid',
      'failed images no image is allowed; no job can run -> set container-images, default-container-image or allow-unknown-images=1',
      'failed resources a job must name a resource profile, but there is none -> add a resource profile, or set allow-custom-resources=1',
      'failed user-job The job must name a resource profile (allow-custom-resources, DIR/launcher.kubernetes.profiles.conf:3) -> fix this line of the profiles',
    ],
  );
  t.equal(outcome.code, 1);
});

t.test('an override that cannot be applied to a job of the user', async (t) => {
  const files = {
    'piece.json': '{}',
    'launcher.kubernetes.profiles.conf': `[*]\njob-json-overrides="/spec/template/spec/containers/7":"DIR/piece.json"\n`,
  };
  const broken = await check(t, SMALLEST, { files }, ['--user', 'nosuchuser']);
  t.strictSame(linesOf(broken, 'user-job'), [
    'failed user-job DIR/launcher.kubernetes.profiles.conf:2: The job-json-override /spec/template/spec/containers/7 (DIR/piece.json) cannot be applied: the list has no element "7" (it has 1; - and 1 append) -> fix this line of the profiles',
  ]);
});

t.test(
  'a label that an autoscaler gives to new nodes is no mistake; without permission none is compared',
  async (t) => {
    const files = {
      'launcher.kubernetes.profiles.conf':
        '[*]\ndefault-container-image=busybox:1\nplacement-constraints=karpenter.sh/nodepool=big\n',
    };
    const seen = await check(t, SMALLEST, { files }, ['--user', 'nosuchuser']);
    t.strictSame(
      ['constraints', 'user-labels'].flatMap((step) => linesOf(seen, step)),
      [
        'ok constraints DIR/launcher.kubernetes.profiles.conf:3: placement constraint karpenter.sh/nodepool=big: no node has this label; an autoscaler may add such nodes',
        'ok user-labels 1 offered; each matches a node, or nodes that an autoscaler adds',
      ],
    );
    const unseen = await check(t, SMALLEST.slice(0, -1), { files }, ['--user', 'nosuchuser']);
    t.strictSame(
      ['constraints', 'user-labels'].flatMap((step) => linesOf(unseen, step)),
      [
        'ok constraints labels of 1 placement constraints are not compared: no permission to list nodes',
        'ok user-labels 1 offered; not compared: no permission to list nodes',
      ],
    );
  },
);

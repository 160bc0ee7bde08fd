/** What a profile demands holds where a template repeats what the job says. */
import t from 'tap';
import { templatesOf } from '../objects/templating.ts';
import { container, make, spec } from './policed.ts';

const template = (pod: string, metadata = ''): string => `apiVersion: batch/v1
kind: Job
spec:
  template:
    metadata:
      ${metadata}
    spec:
      ${pod}
      containers:
        - name: rs-launcher-container
          image: {{ .Job.container.image }}
`;
const ACCOUNT = template('{{- with .Job.serviceAccountName }}\n      serviceAccountName: {{ . }}\n      {{- end }}');
const account = { config: [{ name: 'serviceAccountName', value: 'default', valueType: 'string' as const }] };
const withTemplate = (text: string) => templatesOf({ 'job.tpl': text });

t.test('automount-service-account-token holds for the account of the job that a template repeats', async (t) => {
  const token = (lines: string): unknown =>
    spec(make(lines, account, {}, withTemplate(ACCOUNT))).automountServiceAccountToken;
  t.equal(token('automount-service-account-token=0'), false);
  t.equal(token('automount-service-account-token=1'), true);
  t.equal(token(''), undefined, 'auto: the account has its token');
  const named = make('automount-service-account-token=0', account, {}, withTemplate(ACCOUNT));
  t.equal(spec(named).serviceAccountName, 'default');
});

t.test('labels and annotations of the profile hold where a template writes those of the user', async (t) => {
  const metadata = {
    pod: { labels: { cost: 'victim', team: 'a' }, annotations: { note: 'mine', other: 'b' } },
    job: { labels: { cost: 'victim' } },
  };
  const written = template(
    '',
    'labels: {{ toJson .Job.metadata.pod.labels }}\n      annotations: {{ toJson .Job.metadata.pod.annotations }}',
  );
  const made = make('job-labels=cost={user}\njob-annotations=note=of {user}', { metadata }, {}, withTemplate(written));
  t.match(made.spec?.template.metadata, {
    labels: { cost: 'jane', team: 'a' },
    annotations: { note: 'of jane', other: 'b' },
  });
  t.match(made.metadata?.labels, { cost: 'jane' });
});

t.test('image-pull-policy holds for init containers of the job that a template writes', async (t) => {
  const metadata = { pod: { initContainers: [{ name: 'own', image: 'i', imagePullPolicy: 'Never' }] } };
  const written = template('initContainers: {{ toJson .Job.metadata.pod.initContainers }}');
  const pod = spec(make('image-pull-policy=Always', { metadata }, {}, withTemplate(written)));
  t.same(
    pod.initContainers?.map(({ name, imagePullPolicy }) => [name, imagePullPolicy]),
    [['own', 'Always']],
  );
});

t.test('with templates, characters that have a meaning in YAML are no image', async (t) => {
  for (const image of ['busybox,stdin:true', '[a]', '{a}', '|', '>', '&a', '*a', '!a', '%a', '# a'])
    t.throws(() => make('', { container: { image } }, {}, withTemplate(template(''))), /image/, image);
  for (const image of ['ghcr.io/a/b_c:1.2-x', 'localhost:5000/a@sha256:0123abcd'])
    t.equal(container(make('', { container: { image } }, {}, withTemplate(template(''))))?.image, image);
});

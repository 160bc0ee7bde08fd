/** No text of a job changes what a template says. */
import fc from 'fast-check';
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { buildJob } from '../../../src/jobs/objects/to-job.ts';
import { CONTEXT, resolved } from '../requests.ts';
import { BARE_TEMPLATE, JOB_TEMPLATE, refusedBy, rendered, templatesOf } from './templating.ts';

const template = (lines: string) => `${BARE_TEMPLATE}          image: i:1
${lines}
`;
const TITLE = template('          env: [{name: TITLE, value: "{{ .Job.name }}"}]');
const said = (line: number, column: number, field: string): string =>
  `The template job.tpl:${line}:${column} cannot be used for this job: ${field} changes what the template says; write toYaml, indented.`;

t.test('a name that closes the quotes and adds a field is refused, naming field and place', async (t) => {
  t.equal(refusedBy(TITLE, { name: 'x", privileged: "true' }), said(9, 16, 'name'));
});

t.test('an ordinary name in the same template is taken', async (t) => {
  t.equal(refusedBy(TITLE, { name: 'Report of May' }), 'allowed');
});

t.test('a name with risky characters that changes nothing is taken', async (t) => {
  const { pod } = rendered(TITLE, { name: "it's [a] {name}, #1" });
  t.equal(pod.containers[0]?.env?.[0]?.value, "it's [a] {name}, #1");
});

t.test('commas in a program that is written into a flow list are refused', async (t) => {
  t.match(
    refusedBy(template('          command: [{{ toYaml .Job.exe }}]'), { command: '', exe: '/bin/a, /bin/b' }),
    /^The template job\.tpl:9:\d+ cannot be used for this job: exe changes what the template says; write toYaml, indented\.$/,
  );
});

t.test('line breaks in a value that is written without quotes are refused', async (t) => {
  const env = template(
    '          env:\n            - name: A\n              value: {{ (index .Job.environment 0).value }}',
  );
  const environment = [{ name: 'A', value: 'x\n          securityContext: {privileged: true}' }];
  t.match(refusedBy(env, { environment }), /^The template job\.tpl:\d+:\d+ cannot be used for this job: /);
});

t.test('a job with tags that do not fit into its annotations is refused before anything is rendered', async (t) => {
  t.match(
    refusedBy('{{ fail "rendered" }}', { tags: ['['.repeat(300_000)] }),
    /^The job's description has 3000\d\d bytes, more than the 245760 that Kubernetes stores .* USER_TAG_0\.$/,
  );
});

t.test('a field among many is found', async (t) => {
  const args = ['a', 'b: c', 'd', '#e', '- f'];
  const written = template(
    '          args:\n            {{- range .Job.args }}\n            - {{ . }}\n            {{- end }}',
  );
  t.match(refusedBy(written, { args }), / args\[1\] changes what the template says; write toYaml, indented\.$/);
});

t.test('text that the template parses as JSON stays JSON', async (t) => {
  const parsing = template(
    '          env:\n            - name: A\n              value: {{ (fromJson (index .Job.environment 0).value).a | toYaml | indent 16 | trim }}',
  );
  const environment = [{ name: 'SETTINGS', value: '{"a": "x: {y}"}' }];
  t.equal(rendered(parsing, { environment }).pod.containers[0]?.env?.[0]?.value, 'x: {y}');
});

/** Places where other work may run while a job is refused. */
function pausesOf(values: readonly string[]): number {
  const environment = values.map((value, index) => ({ name: `V${index}`, value }));
  const request = resolved({ command: 'true', name: 'x", privileged: "true', environment });
  const building = buildJob(request, { ...CONTEXT, templates: templatesOf({ 'job.tpl': TITLE }) });
  let count = 0;
  try {
    while (building.next().done !== true) count++;
  } catch {
    return count;
  }
  return 0;
}

t.test('other work may run before each text that is read as JSON', async (t) => {
  const json = pausesOf(Array.from({ length: 20 }, () => '["a"]'));
  const other = pausesOf(Array.from({ length: 20 }, () => 'x"a"]'));
  t.equal(json - other, 20);
});

t.test('a part of parsed JSON that changes what the template says is refused', async (t) => {
  const parsing = template('          env: [{name: A, value: "{{ (fromJson (index .Job.environment 0).value).a }}"}]');
  const environment = [{ name: 'SETTINGS', value: JSON.stringify({ a: 'x", privileged: "true' }) }];
  t.match(refusedBy(parsing, { environment }), / environment\[0\]\.value changes what the template says/);
});

t.test('text that the template parses in another way is taken unless the output has it', async (t) => {
  const parsing = template('          env: [{name: A, value: "{{ (mustToDate "[2006]" .Job.name).Year }}"}]');
  t.equal(rendered(parsing, { name: '[2026]' }).pod.containers[0]?.env?.[0]?.value, '2026');
});

t.test('names with another syntax than that of Kubernetes are refused by field', async (t) => {
  const rows: readonly (readonly [Partial<JobRequest>, string])[] = [
    [
      { metadata: { job: { labels: { 'a b': 'x' } } } },
      'metadata.job.labels: a key is not one that Kubernetes accepts.',
    ],
    [
      { metadata: { pod: { labels: { a: 'x y' } } } },
      'metadata.pod.labels: the value of a is not one that Kubernetes accepts.',
    ],
    [
      { metadata: { other: { 'a: b': 1 } } },
      'metadata: the name of a field has characters other than letters, digits, ".", "_", "/" and "-".',
    ],
    [
      { placementConstraints: [{ name: 'a b', value: 'x' }] },
      'placementConstraints[0].name is not the name of a node label.',
    ],
    [
      { placementConstraints: [{ name: 'a', value: 'x,y' }] },
      'placementConstraints[0].value is not the value of a node label.',
    ],
    [{ host: 'node 3' }, 'host is not the name of a node.'],
    [
      { config: [{ name: 'serviceAccountName', value: 'a: b' }] },
      'config serviceAccountName is not the name of a service account.',
    ],
    [
      {
        config: [
          { name: 'serviceAccountName', value: 'a\nhostNetwork: true' },
          { name: 'serviceAccountName', value: 'b' },
        ],
      },
      'config serviceAccountName is not the name of a service account.',
    ],
    [{ config: [{ name: 'secret', value: 's:k:A\n- B' }] }, 'config secret does not name a variable.'],
    [
      { metadata: { pod: { initContainers: [{ name: 'a', image: 'i\nsecurityContext: {privileged: true}' }] } } },
      'metadata.pod.initContainers[0].image is not the name of an image.',
    ],
    [{ container: { image: 'a b' } }, 'container.image is not the name of an image.'],
    [{ container: { image: 'a', capabilitiesAdd: ['A, B'] } }, 'container: a capability is not the name of one.'],
    [{ environment: [{ name: 'A: B', value: '' }] }, 'environment[0].name is not the name of a variable.'],
  ];
  for (const [request, sentence] of rows) t.equal(refusedBy(JOB_TEMPLATE, request), sentence);
});

t.test('anchors, aliases, merge keys and tags of text are refused', async (t) => {
  const plain = template('          workingDir: {{ .Job.workingDirectory }}');
  for (const workingDirectory of ['&a /x', '*a', '!!binary eHg=', '<<: x', '| x', '> x', '? x', '%x', '@x', '- x']) {
    t.match(refusedBy(plain, { workingDirectory }), /^The template job\.tpl/, workingDirectory);
  }
});

t.test('anchors, aliases, tags, merge keys and duplicate keys of a template are refused at their place', async (t) => {
  const refused: Readonly<Record<string, string>> = {
    'workingDir: &x /a': '9:22 cannot be used for this job: found the anchor &x; anchors are not allowed.',
    'workingDir: *x': '9:22 cannot be used for this job: found the alias *x; aliases are not allowed.',
    'workingDir: !!str /a': '9:22 cannot be used for this job: found the tag !!str; tags are not allowed.',
    '<<: {workingDir: /a}': '9:10 cannot be used for this job: found a merge key (<<); merge keys are not allowed.',
    'image: i:2': '9:10 cannot be used for this job: key "image" already set in map.',
  };
  for (const [line, sentence] of Object.entries(refused)) {
    t.equal(refusedBy(template(`          ${line}`), {}), `The template job.tpl:${sentence}`, line);
  }
});

t.test('fromYaml reads anchors, aliases, tags, merge keys and duplicate keys', async (t) => {
  const yaml = '{a: &x {b: !!str /a}, c: {<<: *x}, d: 1, d: 2}';
  const { pod } = rendered(template(`          workingDir: {{ (fromYaml "${yaml}").c.b }}`), {});
  t.equal(pod.containers[0]?.workingDir, '/a');
});

t.test('any text that is written by toYaml is the text of the object', async (t) => {
  const text = fc.string({ unit: fc.constantFrom(...'ab:#-?,[]{}"\'`&*!|>%@ \n\t\u2028'), maxLength: 12 });
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 3 }), (value, args) => {
      const { pod } = rendered(JOB_TEMPLATE, { command: '', exe: '/bin/x', args, environment: [{ name: 'A', value }] });
      const [main] = pod.containers;
      const seen = JSON.stringify([main?.env?.[1]?.value, main?.args ?? []]);
      if (seen !== JSON.stringify([value, args])) throw new Error(seen);
    }),
    { numRuns: 60 },
  );
  t.pass('60 texts');
});

t.test('no text changes the structure of a template that quotes nothing', async (t) => {
  const naive = template(
    '          workingDir: {{ .Job.workingDirectory }}\n          env: [{name: A, value: {{ .Job.group }}}]',
  );
  const text = fc.string({ unit: fc.constantFrom(...'ab:#-?,[]{}"\'`&*!|>%@ \n\t\\'), maxLength: 12 });
  fc.assert(
    fc.property(text, text, (workingDirectory, group) => {
      const request = { workingDirectory, group };
      if (refusedBy(naive, request) !== 'allowed') return;
      const { pod } = rendered(naive, request);
      const fields = [
        Object.keys(pod.containers[0] ?? {}).toSorted(),
        pod.containers.length,
        pod.containers[0]?.env?.length,
      ];
      const expected = [['env', 'image', 'name', 'workingDir'], 1, 1];
      if (JSON.stringify(fields) !== JSON.stringify(expected)) throw new Error(JSON.stringify(fields));
    }),
    { numRuns: 300 },
  );
  t.pass('300 texts');
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const variable = (value: string): Partial<JobRequest> => ({ environment: [{ name: 'A', value }] });
const VALUE = '(index .Job.environment 0).value';

t.test('text that is decoded from base64 or base32 of the job must not change what the template says', async (t) => {
  for (const [decode, encoded] of [
    ['b64dec', base64('x", privileged: "true')],
    // The same text in base32.
    ['b32dec', 'PARCYIDQOJUXM2LMMVTWKZB2EARHI4TVMU======'],
  ] as const) {
    const written = template(`          env: [{name: A, value: "{{ ${VALUE} | ${decode} }}"}]`);
    t.match(
      refusedBy(written, variable(encoded)),
      /^The template job\.tpl:9:\d+ cannot be used for this job: text of the job changes what the template says; write toYaml, indented\.$/,
      decode,
    );
  }
});

t.test('decoded text that the template quotes is taken, and so is decoded JSON that it parses', async (t) => {
  const quoted = template(`          env: [{name: A, value: {{ ${VALUE} | b64dec | toJson }}}]`);
  const text = 'x", privileged: "true';
  t.same(rendered(quoted, variable(base64(text))).pod.containers[0]?.env, [{ name: 'A', value: text }]);
  const parsed = template(`          env: [{name: A, value: {{ (${VALUE} | b64dec | fromJson).a | toJson }}}]`);
  t.same(rendered(parsed, variable(base64('{"a": "b, c"}'))).pod.containers[0]?.env, [{ name: 'A', value: 'b, c' }]);
});

t.test('decoded JSON that the template writes as it is cannot add fields', async (t) => {
  const written = template(`          securityContext: {{ ${VALUE} | b64dec }}`);
  t.match(
    refusedBy(written, variable(base64('{"privileged": true}'))),
    /text of the job changes what the template says/,
  );
});

t.test('what the template decodes of its own data is no text of the job', async (t) => {
  const own = template(`          env: [{name: A, value: "{{ "eCwgIiI6IHk=" | b64dec | b64enc }}"}]`);
  t.equal(refusedBy(own, variable('other: "text"')), 'allowed');
  const flow = template(`          securityContext: {{ "${base64('{"privileged": false}')}" | b64dec }}`);
  t.match(rendered(flow, variable('other: "text"')).pod.containers[0]?.securityContext, { privileged: false });
});

t.test('a limit that only a harmless text reaches is named as what it is', async (t) => {
  const long = template('          args: [{{ if contains "J" .Job.name }}{{ repeat 10000001 "x" }}{{ end }}]');
  t.equal(
    refusedBy(long, { name: 'a, b' }),
    'The template job.tpl:9:51 cannot be used for this job: executing "job.tpl" at <{{repeat 10000001 "x"}}>: the output is longer than 10000000 bytes.',
  );
});

t.test('an argument that Linux cannot pass is refused before a template is rendered', async (t) => {
  const failing = '{{ fail "rendered" }}';
  t.match(refusedBy(failing, {}), /kind function/);
  t.match(refusedBy(failing, { command: 'x'.repeat(131_072) }), /^command or args: an argument has 131072 bytes/);
  t.match(refusedBy(failing, { command: '', exe: '/x', args: ['"'.repeat(131_072)] }), /^command or args: .* 131072/);
});

/** job-json-overrides change a Job as they are written, unless the plugin would lose the job by them. */
import { readFileSync } from 'node:fs';
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import t from 'tap';
import { parseOverrideReferences } from '../../../src/config/profiles/override-files.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import { applyOverrides, isList } from '../../../src/jobs/objects/overrides.ts';

const JOB: KubernetesJob = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: {
    name: 'a-job-0123456789',
    labels: { 'app.kubernetes.io/managed-by': 'launcher', team: 'r' },
    annotations: { 'job-launcher/job': '{}' },
  },
  spec: {
    backoffLimit: 0,
    template: {
      metadata: {
        labels: { 'app.kubernetes.io/managed-by': 'launcher' },
        annotations: { user: 'jane', name: 'a job' },
      },
      spec: { restartPolicy: 'Never', containers: [{ name: 'rs-launcher-container', image: 'r:4' }] },
    },
  },
};

/** The Job after these overrides, given as pointer and value. */
function apply(...pairs: [pointer: string, value: unknown][]): KubernetesJob {
  const overrides = pairs.map(([pointer, value]) => {
    const parsed = parseOverrideReferences(`${JSON.stringify(pointer)}:"/etc/o.json"`);
    const [reference] = parsed.ok ? parsed.value : [];
    if (reference === undefined) throw new Error(`${pointer} is not a pointer`);
    return { ...reference, value };
  });
  return applyOverrides(JOB, overrides);
}

function refused(...pairs: [pointer: string, value: unknown][]): string {
  try {
    apply(...pairs);
    return 'allowed';
  } catch (error) {
    if (error instanceof JobError && error.code === 'invalid-request') return error.message;
    throw error;
  }
}

const T = '/spec/template/spec';

const specOf = (...pairs: Parameters<typeof apply>) => apply(...pairs).spec?.template.spec;

t.test('a value is added, and the generated Job stays as it was', async (t) => {
  const before = structuredClone(JOB);
  const aliases = [{ ip: '10.0.0.1', hostnames: ['a.example'] }];
  t.same(specOf([`${T}/hostAliases`, aliases])?.hostAliases, aliases);
  t.same(JOB, before);
});

t.test('~1 in a pointer is a slash in the name of a field', async (t) => {
  t.same(apply(['/metadata/labels/example.com~1team', 'x']).metadata?.labels, {
    'app.kubernetes.io/managed-by': 'launcher',
    team: 'r',
    'example.com/team': 'x',
  });
});

t.test('missing objects above a field are created', async (t) => {
  t.same(specOf([`${T}/securityContext/seLinuxOptions/level`, 's0'])?.securityContext, {
    seLinuxOptions: { level: 's0' },
  });
});

t.test('- appends to a list, which is created if it is missing; overrides apply in the order written', async (t) => {
  const volumes = specOf(
    [`${T}/volumes/-`, { name: 'a' }],
    [`${T}/volumes/-`, { name: 'b' }],
    [`${T}/volumes/0/emptyDir/medium`, 'Memory'],
  )?.volumes;
  t.same(volumes, [{ name: 'a', emptyDir: { medium: 'Memory' } }, { name: 'b' }]);
});

t.test('- before a field appends an element with that field', async (t) => {
  t.same(specOf([`${T}/containers/0/env/-/name`, 'X'])?.containers[0]?.env, [{ name: 'X' }]);
});

t.test('- appends a container', async (t) => {
  t.same(specOf([`${T}/containers/-`, { name: 'sidecar', image: 's:1' }])?.containers, [
    { name: 'rs-launcher-container', image: 'r:4' },
    { name: 'sidecar', image: 's:1' },
  ]);
});

t.test('a number names a field of an object', async (t) => {
  t.same(apply(['/metadata/annotations/0', 'x']).metadata?.annotations?.['0'], 'x');
});

t.test('an object replaces another one, they are not merged', async (t) => {
  t.same(specOf([`${T}/dnsConfig`, { a: 1 }], [`${T}/dnsConfig`, { b: 2 }])?.dnsConfig, { b: 2 });
});

t.test('null is a value', async (t) => {
  t.same(apply(['/metadata/labels/team', null]).metadata?.labels?.['team'], null);
});

t.test('an override that has no place is refused', async (t) => {
  const said = (pointer: string, why: string): string =>
    `The job-json-override ${pointer} (/etc/o.json) cannot be applied: ${why}.`;
  t.equal(refused(['/kind/x', 1]), said('/kind/x', 'what is above "x" is no object and no list'));
  t.equal(
    refused([`${T}/containers/2/image`, 'x']),
    said(`${T}/containers/2/image`, 'the list has no element "2" (it has 1; - and 1 append)'),
  );
  t.equal(
    refused([`${T}/containers/01/image`, 'x']),
    said(`${T}/containers/01/image`, 'the list has no element "01" (it has 1; - and 1 append)'),
  );
  t.equal(
    refused([`${T}/containers/first`, 'x']),
    said(`${T}/containers/first`, 'the list has no element "first" (it has 1; - and 1 append)'),
  );
  t.equal(refused([`${T}/x`, null], [`${T}/x/y`, 1]), said(`${T}/x/y`, 'what is above "y" is no object and no list'));
});

t.test('an override that hides the job from the plugin is refused', async (t) => {
  const rows: [pointer: string, value: unknown, changes: string][] = [
    ['/metadata/labels/app.kubernetes.io~1managed-by', 'me', 'a label of the Job'],
    ['/metadata/labels', {}, 'a label of the Job'],
    ['/metadata/annotations/job-launcher~1job', '{"run":"x"}', 'an annotation of the Job'],
    ['/metadata/annotations/job-launcher~1result', '{}', 'an annotation of the Job'],
    ['/metadata/name', 'other', 'apiVersion, kind or name'],
    ['/metadata/namespace', 'other', 'apiVersion, kind or name'],
    ['/spec', {}, 'a label of the pod'],
    ['/spec/template/metadata/labels', null, 'a label of the pod'],
    ['/spec/template/metadata/annotations/user', 'root', 'an annotation of the pod'],
    ['/spec/template/metadata/annotations/USER_TAG_0', 'x', 'an annotation of the pod'],
    ['/spec/backoffLimit', 3, 'backoffLimit'],
    ['/spec/parallelism', 2, 'parallelism'],
    ['/spec/completions', 2, 'completions'],
    ['/spec/completionMode', 'Indexed', 'completionMode'],
    ['/spec/backoffLimitPerIndex', 1, 'backoffLimitPerIndex'],
    ['/spec/podFailurePolicy', { rules: [] }, 'podFailurePolicy'],
    ['/spec/successPolicy', {}, 'successPolicy'],
    ['/spec/podReplacementPolicy', 'Failed', 'podReplacementPolicy'],
    ['/spec/managedBy', 'x', 'managedBy'],
    ['/spec/selector', {}, 'selector'],
    [`${T}/restartPolicy`, 'OnFailure', 'restartPolicy'],
    [`${T}/containers/0/name`, 'main', 'the container rs-launcher-container'],
    [`${T}/containers`, [], 'the container rs-launcher-container'],
    [`${T}/containers/-`, { name: 'rs-launcher-container' }, 'the container rs-launcher-container'],
    [`${T}/initContainers/-`, { name: 'rs-launcher-container' }, 'the container rs-launcher-container'],
    [`${T}/containers/0/restartPolicy`, 'Always', 'restartPolicy of the container'],
  ];
  for (const [pointer, value, changes] of rows) {
    t.equal(
      refused([pointer, value]),
      `The job-json-override ${pointer} (/etc/o.json) cannot be applied: it changes ${changes}, which the plugin needs to follow the job.`,
    );
  }
});

t.test('an index one past the end appends', async (t) => {
  t.same(specOf([`${T}/containers/1`, { name: 'sidecar' }])?.containers, [
    { name: 'rs-launcher-container', image: 'r:4' },
    { name: 'sidecar' },
  ]);
});

t.test('an index one past the end of a list creates the element around a field', async (t) => {
  t.same(specOf([`${T}/containers/1/image`, 's:1'])?.containers[1], { image: 's:1' });
});

t.test('a list that is missing is created where Kubernetes has a list', async (t) => {
  const toleration = { key: 'gpu', operator: 'Exists' };
  t.same(specOf([`${T}/tolerations/0`, toleration])?.tolerations, [toleration]);
  t.same(specOf([`${T}/imagePullSecrets/0/name`, 'registry'])?.imagePullSecrets, [{ name: 'registry' }]);
  t.same(specOf([`${T}/dnsConfig/options/0/name`, 'ndots'])?.dnsConfig, { options: [{ name: 'ndots' }] });
});

t.test('an index further past the end of a created list is refused', async (t) => {
  t.equal(
    refused([`${T}/tolerations/1`, {}]),
    `The job-json-override ${T}/tolerations/1 (/etc/o.json) cannot be applied: the list has no element "1" (it has 0; - and 0 append).`,
  );
});

t.test('the lists of the table are those of the recorded API schema', async (t) => {
  const text = readFileSync(new URL('../../../fixtures/openapi/objects.json', import.meta.url), 'utf8');
  const { schemas } = JSON.parse(text).components;
  const seen = new Set<unknown>();
  const wrong: string[] = [];
  const resolve = (schema: Record<string, unknown>): Record<string, unknown> => {
    const [first] = (schema['allOf'] ?? []) as Record<string, unknown>[];
    const reference = (schema['$ref'] ?? first?.['$ref']) as string | undefined;
    return reference === undefined ? schema : schemas[reference.split('/').at(-1) ?? ''];
  };
  const visit = (schema: Record<string, unknown>, path: readonly string[]): void => {
    const { properties, items } = resolve(schema) as Record<string, Record<string, never> | undefined>;
    if (items !== undefined) visit(items, path);
    if (properties === undefined || seen.has(properties)) return;
    seen.add(properties);
    for (const [name, property] of Object.entries(properties)) {
      const here = [...path, name];
      const hasList = resolve(property)['type'] === 'array';
      if (path[0] !== 'status' && hasList !== isList(here, '0')) wrong.push(here.join('/'));
      visit(property, here);
    }
  };
  visit(schemas['io.k8s.api.batch.v1.Job'], []);
  t.same(wrong, []);
  t.ok(seen.size > 50, `${seen.size} objects`);
});

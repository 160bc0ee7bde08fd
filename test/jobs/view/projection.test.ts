/** Times of the API are read as milliseconds. */
import fc from 'fast-check';
import t from 'tap';
import { projectJob, projectOurPod, time } from '../../../src/jobs/view/projection.ts';

t.test('times of the API are milliseconds; 1970 and malformed times are undefined', async (t) => {
  t.equal(time('2026-11-23T18:40:12Z'), 1_795_459_212_000);
  t.equal(time('2026-11-23T18:40:12.345678Z'), 1_795_459_212_345);
  t.equal(time('1970-01-01T00:00:01Z'), 1_000);
  t.equal(time('2000-02-29T23:59:59Z'), 951_868_799_000);
  t.equal(time('2100-03-01T00:00:00Z'), 4_107_542_400_000);
  t.equal(time('9999-12-31T23:59:59Z'), 253_402_300_799_000);
  t.equal(time('2026-11-2xT18:40:12Z'), undefined);
  t.equal(time('2026-13-01T18:40:12Z'), undefined);
  t.equal(time('0050-01-01T00:00:00Z'), -60_589_296_000_000);
  t.equal(time('1970-01-01T00:00:00Z'), undefined);
  t.equal(time('soon'), undefined);
  t.equal(time(''), undefined);
  t.equal(time(null), undefined);
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      const text = date.toISOString().replace(/\.\d{3}Z$/, 'Z');
      return time(text) === (Date.parse(text) || undefined);
    }),
  );
});

/** The spec right after a resume. */
const SPEC = { suspend: false, template: {} };

t.test('a job that was resumed has started then', async (t) => {
  const metadata = { name: 'a', uid: 'u', creationTimestamp: '2026-11-23T18:00:00Z' };
  const conditions = [{ type: 'Suspended', status: 'False', lastTransitionTime: '2026-11-23T18:40:12Z' }];
  const resumed = projectJob({ metadata, spec: SPEC, status: { startTime: '2026-11-23T18:40:12Z', conditions } });
  t.match(resumed, { suspended: false, startedAt: 1_795_459_212_000, resumedAt: 1_795_459_212_000 });
  const { startedAt, resumedAt } = projectJob({ metadata, spec: SPEC });
  t.strictSame([startedAt, resumedAt], [1_795_456_800_000, undefined]);
});

t.test('a job that the Job controller has not resumed yet is suspended', async (t) => {
  const metadata = { name: 'a', uid: 'u', creationTimestamp: '2026-11-23T18:00:00Z' };
  const conditions = [{ type: 'Suspended', status: 'True', lastTransitionTime: '2026-11-23T18:40:12Z' }];
  t.match(projectJob({ metadata, spec: SPEC, status: { conditions } }), { suspended: true, resumedAt: undefined });
});

const controlledBy = (uid: string, labels: Record<string, string> = {}) => ({
  metadata: {
    name: 'p',
    uid: 'p',
    labels: { 'job-name': 'x', ...labels },
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'x', uid, controller: true }],
  },
});
const isOurs = (uid: string): boolean => uid === 'ours';

t.test('nothing is kept of a pod of another Job', async (t) => {
  t.equal(projectOurPod(controlledBy('theirs'), isOurs), undefined);
});

t.test('a pod without our label is kept for its Job', async (t) => {
  t.equal(projectOurPod(controlledBy('ours'), isOurs)?.jobUid, 'ours');
});

t.test('a pod with our label is kept before its Job is known', async (t) => {
  const labels = { 'app.kubernetes.io/managed-by': 'launcher' };
  t.equal(projectOurPod(controlledBy('new', labels), isOurs)?.jobUid, 'new');
});

t.test('an orphaned pod is not kept, even with our label', async (t) => {
  const labels = { 'app.kubernetes.io/managed-by': 'launcher' };
  t.equal(projectOurPod({ metadata: { name: 'p', uid: 'p', labels } }, isOurs), undefined);
});

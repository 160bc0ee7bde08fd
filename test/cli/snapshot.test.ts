/** A snapshot skips objects that cannot be parsed. */
import t from 'tap';
import { takeSnapshot } from '../../src/cli/snapshot.ts';
import type { Client } from '../../src/kubernetes/contract.ts';

const job = (name: string, spec: unknown = {}) => ({ metadata: { name, uid: `uid-${name}` }, spec });
const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'first', uid: 'uid-first', controller: true }];
const pod = (name: string, fields: object = {}) => ({
  metadata: { name, uid: `uid-${name}`, ownerReferences },
  ...fields,
});
const ITEMS: Readonly<Record<string, readonly unknown[]>> = {
  jobs: [job('first'), job('broken', { template: { spec: { containers: 5 } } }), job('last')],
  pods: [pod('readable'), pod('strange', { status: { conditions: {} } })],
  services: [{ metadata: { name: 'odd' }, spec: { ports: 'x' } }],
  events: [
    { metadata: { name: 'reported' }, involvedObject: { uid: 'uid-first' } },
    { metadata: { name: 'of-nobody' } },
  ],
};

t.test('skips an object that cannot be parsed, with a warning that names it', async (t) => {
  const client = {
    list: async ({ plural }: { readonly plural: string }) => ({ items: ITEMS[plural] ?? [], resourceVersion: '1' }),
  } as unknown as Client;
  const warnings: string[] = [];
  const { repository, pods, events } = await takeSnapshot(client, (line) => warnings.push(line), { allEvents: true });
  t.strictSame(
    [...repository.records()].map(({ id }) => id),
    ['first', 'last'],
  );
  t.strictSame(
    [...pods, ...events].map(({ metadata }) => metadata?.name),
    ['readable', 'reported'],
  );
  t.strictSame(
    warnings.map((line) => line.replace(/: [^:]*$/, '')),
    [
      'warning: skipping Job broken, which cannot be parsed',
      'warning: skipping Pod strange, which cannot be parsed',
      'warning: skipping Service odd, which cannot be parsed',
      'warning: skipping Event of-nobody, which cannot be parsed',
    ],
  );
});

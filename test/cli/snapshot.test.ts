/** A snapshot skips objects that cannot be parsed, and kinds that may not be listed. */
import t from 'tap';
import { takeSnapshot } from '../../src/cli/snapshot.ts';
import type { Client } from '../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../src/kubernetes/kubernetes-error.ts';

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

t.test('a kind that may not be listed is one warning, also where several lists of it are read', async (t) => {
  const client = {
    list: async ({ plural }: { readonly plural: string }) => {
      if (plural === 'events' || plural === 'services')
        throw new KubernetesError({
          code: 'forbidden',
          method: 'GET',
          path: '/x',
          status: 403,
          reason: 'Forbidden',
          text: 'x',
        });
      return { items: [], resourceVersion: '1' };
    },
  } as unknown as Client;
  const warnings: string[] = [];
  await takeSnapshot(client, (line) => warnings.push(line), { allEvents: false });
  t.strictSame(warnings, [
    'warning: no permission to list services; reasons or addresses may be missing',
    'warning: no permission to list events; reasons or addresses may be missing',
  ]);
});

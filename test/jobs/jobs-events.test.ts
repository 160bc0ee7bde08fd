/** Of all events of the namespace, those of our jobs and pods are kept. */
import t from 'tap';
import { EVENTS } from '../../src/kubernetes/contract.ts';
import { EVENTS as STORED_EVENTS } from '../cluster/api/resources.ts';
import { startWorld } from './instance.ts';

const { cluster, admin, instance } = await startWorld(t);

/** A Warning event about an object that is not ours. */
function warn(name: string, kind: string): void {
  const time = '2030-01-01T00:00:00Z';
  cluster.store.create(STORED_EVENTS, {
    metadata: { name, namespace: cluster.namespace },
    involvedObject: { kind, name, uid: `uid-of-${name}`, namespace: cluster.namespace, apiVersion: 'v1' },
    reason: 'BackOff',
    message: 'Back-off restarting failed container',
    source: {},
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    type: 'Warning',
    eventTime: null,
    reportingComponent: '',
    reportingInstance: '',
  });
}

t.test('events of other objects are not kept; an event that was there before the start is', async (t) => {
  cluster.denyNew('pods', 'no room');
  const id = await admin.submit({ command: 'true' });
  await admin.until(id, ({ statusMessage }) => statusMessage === 'no room');
  for (const kind of ['Node', 'Pod', 'Job', 'ReplicaSet']) warn(`before-${kind.toLowerCase()}`, kind);
  const kept: string[] = [];
  const one = await instance({
    wrap: (client) => ({
      ...client,
      reflector: (options) =>
        client.reflector({
          ...options,
          onEvent: (event) => {
            options.onEvent(event);
            if (options.resource.plural === EVENTS.plural) kept.push(event.object.name.replace(/\..*/, ''));
          },
        }),
    }),
  });
  await one.until(id, ({ statusMessage }) => statusMessage === 'no room');
  for (const kind of ['Node', 'Pod', 'Job', 'ReplicaSet']) warn(`after-${kind.toLowerCase()}`, kind);
  const later = await admin.submit({ command: 'true' });
  await one.until(later, ({ statusMessage }) => statusMessage === 'no room');
  t.ok(kept.includes(id));
  t.strictSame(
    kept.filter((name) => name !== id && name !== later),
    [],
  );
});

/**
 * The namespace controller: a new namespace gets its default account, one that is being terminated loses its content
 * and then goes (kubernetes-facts.md 140).
 */
import { deleteObject } from '../api/deletion.ts';
import { NAMESPACES, RESOURCES, SERVICE_ACCOUNTS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import type { Controller } from './jobs.ts';
import { createQueue } from './queue.ts';

const CONTENT = RESOURCES.filter(({ namespaced }) => namespaced);

export function startNamespaceController(store: Store, pace: Pace): Controller {
  const timers = createTimers(pace.clock);
  const queue = createQueue(timers, sync);

  function sync(name: string): void {
    const namespace = store.get(NAMESPACES, '', name);
    if (namespace === undefined) return;
    if (namespace.status.phase === 'Active') {
      if (store.get(SERVICE_ACCOUNTS, name, 'default') !== undefined) return;
      store.create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } });
      return;
    }
    for (const resource of CONTENT) {
      for (const object of store.list(resource, name)) {
        if (object.metadata.deletionTimestamp !== undefined) continue;
        deleteObject(store, resource, object, { propagationPolicy: 'Background' });
      }
    }
    if (CONTENT.every((resource) => store.list(resource, name).length === 0)) store.remove(NAMESPACES, namespace);
  }

  const isEnding = (name: string): boolean => store.get(NAMESPACES, '', name)?.status.phase === 'Terminating';
  const unlisten = [
    store.listen(NAMESPACES, ({ object }) => queue.add(object.metadata.name, pace.delay('garbage'))),
    ...CONTENT.map((resource) =>
      store.listen(resource, ({ object }) => {
        const { namespace = '' } = object.metadata;
        if (isEnding(namespace)) queue.add(namespace, pace.delay('garbage'));
      }),
    ),
  ];
  return {
    close: () => {
      for (const stop of unlisten) stop();
      timers.close();
    },
  };
}

/**
 * The quota controller: writes into each ResourceQuota what its namespace uses.
 */
import { COUNTED, usedOf } from '../api/quotas.ts';
import { QUOTAS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import type { Controller } from './jobs.ts';
import { createQueue } from './queue.ts';

export function startQuotaController(store: Store, pace: Pace): Controller {
  const timers = createTimers(pace.clock);
  const queue = createQueue(timers, sync);

  function sync(namespace: string): void {
    for (const quota of store.list(QUOTAS, namespace)) {
      store.edit(QUOTAS, quota, (draft) => {
        draft.status = { hard: { ...draft.spec.hard }, used: usedOf(store, draft) };
      });
    }
  }

  const unlisten = [QUOTAS, ...COUNTED].map((resource) =>
    store.listen(resource, ({ object }) => queue.add(object.metadata.namespace ?? '', pace.delay('jobSync'))),
  );
  return {
    close: () => {
      for (const stop of unlisten) stop();
      timers.close();
    },
  };
}

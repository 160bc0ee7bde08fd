/** A client that tells how long its calls took. */
import type { Clock } from '../system/clock.ts';
import type { Client } from './contract.ts';

/** The same client; `onCall` is told how many seconds each call took, whether it worked or not. */
export function observedClient(client: Client, clock: Clock, onCall: (seconds: number) => void): Client {
  const timed =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const start = clock.monotonic();
      try {
        return await call(...args);
      } finally {
        onCall((clock.monotonic() - start) / 1000);
      }
    };
  return {
    ...client,
    version: timed(client.version),
    allowed: timed(client.allowed),
    delete: (resource, name, options) => timed(() => client.delete(resource, name, options))(),
    get: (resource, name, options) => timed(() => client.get(resource, name, options))(),
    list: (resource, selection, options) => timed(() => client.list(resource, selection, options))(),
    create: (resource, object, options) => timed(() => client.create(resource, object, options))(),
    patch: (resource, name, patch, options) => timed(() => client.patch(resource, name, patch, options))(),
  };
}

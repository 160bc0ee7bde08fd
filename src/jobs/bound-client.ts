/** The client of jobs/: no call of it outlives the plugin. */
import type { CallOptions, Client } from '../kubernetes/contract.ts';

/**
 * The same client, whose calls end when the signal does: what goes on in the background must not outlive the plugin. A
 * call that brings a signal of its own brings one that ends by then (it follows Context.signal).
 */
export function boundClient(client: Client, life: AbortSignal): Client {
  const bound = <O extends CallOptions>(options: O | undefined): O & CallOptions => ({
    ...(options as O),
    signal: options?.signal ?? life,
  });
  return {
    ...client,
    version: (options) => client.version(bound(options)),
    get: (resource, name, options) => client.get(resource, name, bound(options)),
    list: (resource, selection, options) => client.list(resource, selection, bound(options)),
    create: (resource, object, options) => client.create(resource, object, bound(options)),
    patch: (resource, name, patch, options) => client.patch(resource, name, patch, bound(options)),
    delete: (resource, name, options) => client.delete(resource, name, bound(options)),
    allowed: (access, options) => client.allowed(access, bound(options)),
    exec: (pod, container, command, options) => client.exec(pod, container, command, bound(options)),
    attachInput: (pod, container, input, options) => client.attachInput(pod, container, input, bound(options)),
  };
}

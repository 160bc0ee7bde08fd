/** Clients that add something to every call of another client: a measurement of its time, or an end to it. */
import type { Clock } from '../system/clock.ts';
import type { CallOptions, Client } from './contract.ts';

type Operation = 'version' | 'get' | 'list' | 'create' | 'patch' | 'delete' | 'allowed' | 'exec' | 'attachInput';

/** Called instead of each operation; makes the call with these options, or with others. */
type Around = <O extends CallOptions, R>(
  operation: Operation,
  options: O,
  call: (options: O) => Promise<R>,
) => Promise<R>;

function decorateClient(client: Client, around: Around): Client {
  return {
    ...client,
    version: (options = {}) => around('version', options, (given) => client.version(given)),
    get: (resource, name, options = {}) => around('get', options, (given) => client.get(resource, name, given)),
    list: (resource, selection, options = {}) =>
      around('list', options, (given) => client.list(resource, selection, given)),
    create: (resource, object, options = {}) =>
      around('create', options, (given) => client.create(resource, object, given)),
    patch: (resource, name, patch, options = {}) =>
      around('patch', options, (given) => client.patch(resource, name, patch, given)),
    delete: (resource, name, options) => around('delete', options, (given) => client.delete(resource, name, given)),
    allowed: (permission, options = {}) => around('allowed', options, (given) => client.allowed(permission, given)),
    exec: (pod, container, command, options = {}) =>
      around('exec', options, (given) => client.exec(pod, container, command, given)),
    attachInput: (pod, container, input, options = {}) =>
      around('attachInput', options, (given) => client.attachInput(pod, container, input, given)),
  };
}

/** Reports how many seconds each request took, failed ones included; exec and attach last as long as their program. */
export function instrumentedClient(client: Client, clock: Clock, onRequest: (seconds: number) => void): Client {
  return decorateClient(client, async (operation, options, call) => {
    if (operation === 'exec' || operation === 'attachInput') return call(options);
    const start = clock.monotonic();
    try {
      return await call(options);
    } finally {
      onRequest((clock.monotonic() - start) / 1000);
    }
  });
}

/** Aborts calls that bring no signal of their own when this signal is aborted. */
export function scopedClient(client: Client, signal: AbortSignal): Client {
  return decorateClient(client, (_operation, options, call) => call({ ...options, signal: options.signal ?? signal }));
}

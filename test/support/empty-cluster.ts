/** An API server that has nothing: for tests that only need the plugin to start. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An API server on loopback that knows no objects: lists are empty, watches are silent. For tests of the start. */
interface EmptyCluster {
  /** Options that make a plugin use it. */
  readonly options: { readonly 'api-url': string; readonly 'auth-token': string };
  readonly close: () => Promise<void>;
}

/** Listens on a free port. Everything that is written to it gets 403. */
export async function startEmptyCluster(): Promise<EmptyCluster> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.method !== 'GET') {
      answer(403, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 });
    } else if (url.pathname === '/version') {
      answer(200, { major: '1', minor: '36', gitVersion: 'v1.36.0' });
    } else if (url.searchParams.has('watch')) {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    } else {
      answer(200, { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    options: { 'api-url': `http://127.0.0.1:${port}`, 'auth-token': 'token-of-the-empty-cluster' },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

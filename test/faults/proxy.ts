/** Proxy between a client and the API server that can freeze: no byte passes any more, and neither side closes. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

interface FreezingProxy {
  readonly url: string;
  /** Freezes the connections there are. New ones work. */
  readonly freeze: () => void;
  /** The next connection freezes when it has passed this number of bytes to the client. */
  readonly freezeNextAfter: (bytes: number) => void;
  /** Connections that were frozen by now. */
  readonly frozen: () => number;
  readonly close: () => Promise<void>;
}

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that may still pass to the client. */
  left: number;
}

/** In front of a port of this machine; TLS passes through. */
export async function startProxy(port: number): Promise<FreezingProxy> {
  const connections = new Set<Connection>();
  let nextLimit = Number.POSITIVE_INFINITY;
  let frozen = 0;

  function freeze(connection: Connection): void {
    if (connection.left <= 0) return;
    connection.left = 0;
    frozen++;
    connection.client.pause();
    connection.server.pause();
  }

  const listener = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    const connection: Connection = { client, server, left: nextLimit };
    nextLimit = Number.POSITIVE_INFINITY;
    connections.add(connection);
    client.on('data', (data) => server.write(data));
    server.on('data', (data) => {
      client.write(data.subarray(0, connection.left));
      if (data.length >= connection.left) freeze(connection);
      else connection.left -= data.length;
    });
    const end = (): void => {
      connections.delete(connection);
      client.destroy();
      server.destroy();
    };
    client.on('error', end).on('close', end);
    server.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  return {
    url: `https://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    freeze: () => {
      for (const connection of connections) freeze(connection);
    },
    freezeNextAfter: (bytes) => {
      nextLimit = bytes;
    },
    frozen: () => frozen,
    close: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      for (const { client, server } of connections) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },
  };
}

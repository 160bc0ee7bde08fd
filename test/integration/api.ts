/**
 * The other side's view: plain requests to the API server, made with node:https and none of the product's code, so that
 * what the product did can be held against what the cluster has.
 */
import { request } from 'node:https';
import { WebSocket } from 'ws';

export interface ApiTarget {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
}

export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON; an empty object if the body was none. */
  readonly body: Record<string, unknown>;
  /** As it came. */
  readonly bytes: Buffer;
}

/** One request; `path` begins with /api or /apis. A patch is a merge patch. Rejects after 30 s without an answer. */
export function api(target: ApiTarget, method: string, path: string, body?: unknown): Promise<ApiAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      `${target.url}${path}`,
      {
        method,
        ca: target.ca,
        agent: false,
        timeout: 30_000,
        headers: {
          authorization: `Bearer ${target.token}`,
          accept: 'application/json',
          ...(text === undefined
            ? {}
            : {
                'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
                // Without it Node.js sends the body of a DELETE unframed, and a server ignores it.
                'content-length': Buffer.byteLength(text),
              }),
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const isJson = String(answer.headers['content-type']).includes('json');
          resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(bytes.toString()) : {}, bytes });
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
    sent.on('error', reject);
    sent.end(text);
  });
}

/** Runs a command in a container; `path` is the one of its pod. Rejects with what the server says unless its exit code is 0. */
export function execute(
  { url, ca, token }: ApiTarget,
  path: string,
  container: string,
  command: readonly string[],
): Promise<void> {
  const query = new URLSearchParams([
    ['container', container],
    ['stderr', 'true'],
    ...command.map((argument): [string, string] => ['command', argument]),
  ]);
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}/exec?${query}`, 'v4.channel.k8s.io', {
    ca,
    headers: { authorization: `Bearer ${token}` },
  });
  return new Promise((resolve, reject) => {
    let said = '';
    socket.on('message', (frame: Buffer) => {
      said += frame.subarray(1);
      // The third channel has the Status, the last thing of all.
      if (frame[0] !== 3) return;
      socket.terminate();
      if (JSON.parse(String(frame.subarray(1))).status === 'Success') resolve();
      else reject(new Error(`${command.join(' ')}: ${said}`));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${command.join(' ')}: the connection was closed after "${said}"`)));
  });
}

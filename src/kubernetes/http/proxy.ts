/** Connections through an HTTP proxy: CONNECT, then TLS to the API server inside the tunnel, end to end. */
import type { RequestOptions } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { Deadline } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import { type TlsSettings, tlsSettings } from './tls.ts';

interface TunnelOptions {
  /** URL of the proxy, http or https, with user and password if it needs them. */
  readonly proxy: URL;
  /** URL of the API server. */
  readonly target: URL;
  /** TLS to the API server; undefined: none. */
  readonly tls: TlsSettings | undefined;
  /** Deadline of the connection, all steps together. */
  readonly timeoutMs: number;
  readonly keepAliveMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/** The proxy refused or did not answer; the message names the proxy, without user and password. */
class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: 'proxy-refused' | 'proxy-unreachable';

  constructor(code: ProxyError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Opens a connection to the API server. Rejects with a ProxyError or an error of TLS. */
export async function openTunnel(options: TunnelOptions): Promise<Socket> {
  const { proxy, target, tls, clock, keepAliveMs, timeoutMs, signal } = options;
  const deadline = new Deadline(clock, signal);
  deadline.set(timeoutMs, () => unreachable(proxy, `no connection to ${placeOf(target)} after ${timeoutMs / 1000} s`));
  try {
    const tunnel = await connectProxy(proxy, target, deadline.signal);
    tunnel.setKeepAlive(true, keepAliveMs);
    return tls === undefined ? tunnel : await secure(tunnel, hostOf(target), tls, deadline.signal);
  } finally {
    deadline.end();
  }
}

function connectProxy(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  const options: RequestOptions = {
    host: hostOf(proxy),
    port: portOf(proxy),
    method: 'CONNECT',
    path: placeOf(target),
    headers: { host: placeOf(target), ...authorizationOf(proxy) },
    agent: false,
    signal,
  };
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  // Loaded for a proxy only: a start is faster without them.
  const request =
    proxy.protocol === 'https:'
      ? process.getBuiltinModule('node:https').request({ ...options, ...proxyTls(proxy) })
      : process.getBuiltinModule('node:http').request(options);
  request.once('connect', ({ statusCode = 0, statusMessage = '' }, socket: Socket, head: Buffer) => {
    if (statusCode >= 200 && statusCode < 300) {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
      return;
    }
    socket.destroy();
    const answer = `${statusCode} ${statusMessage}`.trimEnd();
    reject(new ProxyError('proxy-refused', `proxy ${proxy.host} answered CONNECT ${placeOf(target)} with ${answer}`));
  });
  request.once('error', (error) => reject(signal.aborted ? signal.reason : unreachable(proxy, error.message, error)));
  request.end();
  return promise;
}

let hostTrust: TlsSettings | undefined;

/** TLS to the proxy, with a certificate for its own name: without `servername` Node.js expects that of the Host header. */
function proxyTls(proxy: URL): TlsSettings & { readonly servername: string } {
  hostTrust ??= tlsSettings({ verify: true });
  return { ...hostTrust, servername: isIP(hostOf(proxy)) === 0 ? hostOf(proxy) : '' };
}

async function secure(tunnel: Socket, host: string, tls: TlsSettings, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  // A signal that was aborted since the tunnel was opened has no event any more.
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket = tlsConnect({ ...tls, ...name, socket: tunnel, host, ALPNProtocols: ['http/1.1'] });
  socket.once('secureConnect', resolve).once('error', reject);
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.off('error', reject);
    signal.removeEventListener('abort', onAbort);
  }
}

function unreachable(proxy: URL, why: string, cause?: unknown): ProxyError {
  return new ProxyError('proxy-unreachable', `proxy ${proxy.host}: ${why}`, cause);
}

/** `10.0.0.1:6443`, `[::1]:6443`. */
function placeOf(target: URL): string {
  return `${target.hostname}:${portOf(target)}`;
}

/** Without the brackets of IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

export function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

function authorizationOf({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}

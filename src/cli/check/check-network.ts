/** Steps of `check` about the network: name resolution and TCP. */
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import type { Options } from '../../config/options/options.ts';
import { optionPlace } from '../../config/text/problem.ts';
import { openTunnel } from '../../kubernetes/http/proxy.ts';
import type { Clock } from '../../system/clock.ts';
import { codeOrText, errorMessage } from '../../system/errors.ts';
import type { CommandContext } from '../command-session.ts';
import { type Checked, failure, ok, only } from './check-report.ts';

const CONNECT_MS = 4_000;
const RESOLVE_MS = 4_000;

/** Host and port of `api-url`. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** `10.0.0.1:6443`, `[::1]:6443`. */
  readonly text: string;
  /** `/etc/rstudio/launcher.kubernetes.conf:1: api-url`. */
  readonly origin: string;
  /** The address is that of the cluster of this pod: no option names it. */
  readonly isInPod: boolean;
  readonly url: URL;
  /** The HTTP proxy on the way to it, and `/etc/rstudio/launcher.kubernetes.conf:2: https-proxy`. */
  readonly proxy: { readonly url: URL; readonly origin: string } | undefined;
}

export function endpointOf({
  apiUrl,
  httpsProxy,
  origins,
}: Pick<Options, 'apiUrl' | 'httpsProxy' | 'origins'>): Endpoint {
  const url = new URL(apiUrl);
  const { hostname, port, protocol } = url;
  const isTls = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const number = port === '' ? (isTls ? 443 : 80) : Number(port);
  const proxy =
    httpsProxy === undefined ? undefined : { url: new URL(httpsProxy), origin: optionPlace(origins, 'https-proxy') };
  const origin = optionPlace(origins, 'api-url');
  return {
    host,
    port: number,
    isTls,
    text: `${hostname}:${number}`,
    origin,
    isInPod: !origins.has('api-url'),
    url,
    proxy,
  };
}

/** The addresses of the API server, resolved as connections do. */
export async function checkName(
  { host, origin, proxy, isInPod }: Endpoint,
  clock: Clock,
): Promise<Checked<readonly string[]>> {
  if (proxy !== undefined)
    return { findings: [ok(`the proxy ${proxy.url.host} (https-proxy) resolves ${host}`)], value: [host] };
  if (isIP(host) !== 0) {
    const name = isInPod ? 'KUBERNETES_SERVICE_HOST' : 'api-url';
    return { findings: [ok(`${name} holds an IP address; no DNS lookup needed`)], value: [host] };
  }
  const late = Promise.withResolvers<'late'>();
  const cancel = clock.after(RESOLVE_MS, () => late.resolve('late'));
  try {
    const found = await Promise.race([lookup(host, { all: true }), late.promise]);
    if (found === 'late') {
      const remedy = 'check the name servers in /etc/resolv.conf, or use an IP address in api-url';
      return {
        findings: [
          failure(`${origin}: ${host}: the name service did not respond within ${RESOLVE_MS / 1000} s`, remedy),
        ],
      };
    }
    const addresses = found.map(({ address }) => address);
    return { findings: [ok(`${host} resolves to ${addresses.join(', ')}`)], value: addresses };
  } catch (error) {
    const code = codeOrText(error);
    const why = code === 'ENOTFOUND' ? 'does not resolve on this host' : `cannot be resolved (${code})`;
    const remedy = `correct api-url, or add the name to DNS or /etc/hosts; verify with: getent hosts ${host}`;
    return { findings: [failure(`${origin}: ${host} ${why}`, remedy)] };
  } finally {
    cancel();
  }
}

/** Failed connections, by the code of the system. */
const REASONS: Readonly<Record<string, readonly [found: string, remedy: string]>> = {
  ECONNREFUSED: ['refuses connections', 'start the API server, or correct the port in api-url (often 6443 or 443)'],
  EHOSTUNREACH: [
    'is unreachable: this host has no route to it',
    'check the network of this host and the address in api-url: ip route get ADDRESS',
  ],
  ENETUNREACH: [
    'is unreachable: this host has no route to it',
    'check the network of this host and the address in api-url: ip route get ADDRESS',
  ],
  TIMEOUT: [
    `did not answer within ${CONNECT_MS / 1000} s`,
    'allow the connection in the firewall or security group, or correct the address in api-url',
  ],
};

const KEEP_ALIVE_MS = 20_000;

/** A connection through the proxy, without TLS inside it. Rejects with an Error that names the proxy. */
export function throughProxy(target: URL, proxy: URL, clock: Clock): Promise<Socket> {
  const timing = { timeoutMs: CONNECT_MS, keepAliveMs: KEEP_ALIVE_MS, clock };
  return openTunnel({ proxy, target, tls: undefined, signal: undefined, ...timing });
}

/** Does a server accept connections there? */
export async function checkTcp(
  endpoint: Endpoint,
  addresses: readonly string[],
  { clock, environment }: Pick<CommandContext, 'clock' | 'environment'>,
): Promise<Checked<true>> {
  const { findings, value } = await connection(endpoint, addresses, clock);
  const set = PROXY_VARIABLES.filter((name) => (environment[name] ?? '') !== '');
  if (set.length === 0) return { findings, value };
  const variables = `the environment variables ${set.join(', ')}`;
  const note = ok(`${variables} have no effect here; https-proxy and no-proxy are options`);
  return { findings: [...findings, note], value };
}

const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'];

async function connection(
  { text, port, origin, url, proxy }: Endpoint,
  addresses: readonly string[],
  clock: Clock,
): Promise<Checked<true>> {
  if (proxy !== undefined) {
    try {
      (await throughProxy(url, proxy.url, clock)).destroy();
      return only(ok(`${text} accepts connections through the proxy ${proxy.url.host} (https-proxy)`));
    } catch (error) {
      const why = errorMessage(error);
      const remedy = `correct https-proxy, let the proxy allow CONNECT to ${text}, or add the host to no-proxy`;
      return { findings: [failure(`${proxy.origin}: ${why}`, remedy)] };
    }
  }
  const begun = clock.monotonic();
  const attempts = await Promise.all(addresses.map((address) => attempt(address, port, clock)));
  if (attempts.includes('connected'))
    return only(ok(`${text} accepts connections (${Math.round(clock.monotonic() - begun)} ms)`));
  const code = attempts[0] ?? '';
  const [found, remedy] = REASONS[code] ?? [`cannot be reached (${code})`, 'correct api-url'];
  return { findings: [failure(`${origin}: ${text} ${found}`, remedy)] };
}

/** `connected`, `TIMEOUT`, or the system's code. */
function attempt(host: string, port: number, clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const cancel = clock.after(CONNECT_MS, () => done('TIMEOUT'));
    const done = (result: string): void => {
      cancel();
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => done('connected'));
    socket.once('error', (error) => done(codeOrText(error)));
  });
}

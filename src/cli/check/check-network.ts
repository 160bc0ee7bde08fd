/** Steps of `check` about the network: name resolution and TCP. */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Options } from '../../config/options/options.ts';
import { optionPlace } from '../../config/text/problem.ts';
import type { Clock } from '../../system/clock.ts';
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
}

export function endpointOf({ apiUrl, origins }: Pick<Options, 'apiUrl' | 'origins'>): Endpoint {
  const { hostname, port, protocol } = new URL(apiUrl);
  const isTls = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const number = port === '' ? (isTls ? 443 : 80) : Number(port);
  return { host, port: number, isTls, text: `${hostname}:${number}`, origin: optionPlace(origins, 'api-url') };
}

/** The addresses of the API server, resolved as connections do. */
export async function checkName({ host, origin }: Endpoint, clock: Clock): Promise<Checked<readonly string[]>> {
  if (isIP(host) !== 0) return { findings: [ok(`api-url holds an IP address; no DNS lookup needed`)], value: [host] };
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
    const code = codeOf(error);
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

/** Does a server accept connections there? */
export async function checkTcp(
  { text, port, origin }: Endpoint,
  addresses: readonly string[],
  clock: Clock,
): Promise<Checked<true>> {
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
    socket.once('error', (error) => done(codeOf(error)));
  });
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

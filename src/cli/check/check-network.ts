/** The way to the API server: its name, and whether anything answers there. */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Options } from '../../config/options/options.ts';
import { optionPlace } from '../../config/text/problem.ts';
import type { Clock } from '../../system/clock.ts';
import { type Checked, failed, ok, only } from './report.ts';

const CONNECT_MS = 4_000;
const RESOLVE_MS = 4_000;

/** Where `api-url` points to. */
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

/** The addresses of the API server, as connections will look them up. */
export async function checkName({ host, origin }: Endpoint, clock: Clock): Promise<Checked<readonly string[]>> {
  if (isIP(host) !== 0) return { findings: [ok(`${host} is an address`)], value: [host] };
  const late = Promise.withResolvers<'late'>();
  const cancel = clock.after(RESOLVE_MS, () => late.resolve('late'));
  try {
    const found = await Promise.race([lookup(host, { all: true }), late.promise]);
    if (found === 'late') {
      const remedy = 'is the name server of /etc/resolv.conf reachable? An IP address in api-url does without it';
      return {
        findings: [failed(`${origin}: ${host}: no answer from the name service within ${RESOLVE_MS / 1000} s`, remedy)],
      };
    }
    const addresses = found.map(({ address }) => address);
    return { findings: [ok(`${host} is ${addresses.join(', ')}`)], value: addresses };
  } catch (error) {
    const code = codeOf(error);
    const why = code === 'ENOTFOUND' ? 'is not a name that this host can resolve' : `cannot be resolved (${code})`;
    const remedy = 'correct api-url, or add the name to /etc/hosts or the name server; then getent hosts shows it';
    return { findings: [failed(`${origin}: ${host} ${why}`, remedy)] };
  } finally {
    cancel();
  }
}

/** What a refused or missing connection means. */
const REASONS: Readonly<Record<string, readonly [found: string, remedy: string]>> = {
  ECONNREFUSED: [
    'refuses connections',
    'is the API server running, and is the port of api-url the right one (often 6443 or 443)?',
  ],
  EHOSTUNREACH: ['cannot be reached: there is no route', 'is this host in the right network, and is the cluster up?'],
  ENETUNREACH: ['cannot be reached: there is no route', 'is this host in the right network, and is the cluster up?'],
  TIMEOUT: [
    `did not answer within ${CONNECT_MS / 1000} s`,
    'a firewall or security group between this host and the API server drops it, or nothing has this address',
  ],
};

/** Does anything accept connections there? */
export async function checkTcp(
  { text, port, origin }: Endpoint,
  addresses: readonly string[],
  clock: Clock,
): Promise<Checked<true>> {
  const begun = clock.monotonic();
  const attempts = await Promise.all(addresses.map((address) => attempt(address, port, clock)));
  if (attempts.includes('connected')) return only(ok(`${text} answers (${Math.round(clock.monotonic() - begun)} ms)`));
  const code = attempts[0] ?? '';
  const [found, remedy] = REASONS[code] ?? [`cannot be connected to (${code})`, 'is api-url right?'];
  return { findings: [failed(`${origin}: ${text} ${found}`, remedy)] };
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

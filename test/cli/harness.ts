/** Commands of an administrator, run in this process with real files, sockets and a simulated cluster. */
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runCommand } from '../../src/cli/command-runner.ts';
import { type CommandContext, processContext } from '../../src/cli/command-session.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { submittedJob } from '../../src/jobs/job.ts';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  /** Lines of stdout. */
  readonly lines: readonly string[];
  readonly err: string;
}

/** A name that nobody knows, and no name server is asked for: a label has at most 63 characters. */
export const NOBODY = `kubernete${'s'.repeat(55)}.invalid`;

/** Options that lead to a port where nobody listens. */
export const NOWHERE = { 'api-url': 'http://127.0.0.1:16443', 'auth-token': 'a-token' };

/** A certificate as `certificate-authority` takes it. */
export const base64 = (pem: string): string => Buffer.from(pem).toString('base64');

/** What a command finds. */
export interface Situation {
  /** Lines of the options file; a number of the port in `api-url` is shown as PORT. */
  readonly options?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly terminal?: Partial<Omit<Terminal, 'say' | 'write'>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly context?: Partial<CommandContext>;
}

/** A directory with an options file, removed with the test. */
export function directoryOf(t: Test, { options = {}, files = {} }: Situation): { path: string; configFile: string } {
  const path = mkdtempSync(join(tmpdir(), 'cli-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  chmodSync(path, 0o755);
  const configFile = join(path, 'launcher.kubernetes.conf');
  const inPlace = (text: string): string => text.replaceAll('DIR', path);
  const lines = Object.entries({ 'server-user': 'nobody', ...options }).map(
    ([name, value]) => `${name}=${inPlace(value)}\n`,
  );
  writeFileSync(configFile, lines.join(''), { mode: 0o600 });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), inPlace(text), { mode: 0o644 });
  return { path, configFile };
}

/**
 * Runs a command. Its directory is shown as DIR and the port of `api-url` as PORT. Root is not given up: the process
 * has other tests to run (test/cli/command-session.test.ts starts processes that do).
 */
export async function run(t: Test, args: readonly string[], situation: Situation = {}): Promise<Outcome> {
  const { path, configFile } = directoryOf(t, situation);
  let out = '';
  let err = '';
  const terminal: Terminal = {
    write: (text) => {
      out += text;
    },
    say: (line) => {
      err += `${line}\n`;
    },
    pass: async (bytes) => {
      out += Buffer.from(bytes).toString('latin1');
    },
    ask: undefined,
    interrupted: () => new AbortController().signal,
    rows: undefined,
    columns: undefined,
    color: false,
    ...situation.terminal,
  };
  const context: CommandContext = {
    ...processContext((job) => submittedJob.read(job)),
    environment: situation.environment ?? {},
    behindRoot: undefined,
    findUser: async () => undefined,
    dropPrivileges: () => ({ name: 'nobody', uid: 65534, gid: 65534, home: '/' }),
    readInput: async () => situation.input ?? '',
    loginUser: async () => 'ada',
    ...situation.context,
  };
  const [command = '', ...rest] = args;
  const named = rest.map((arg) => arg.replace('DIR', path));
  const hasFile = named.some((arg) => arg.startsWith('--config-file=') || arg === '--help');
  const all =
    hasFile || command === '' || command === 'help'
      ? [command, ...named]
      : [command, `--config-file=${configFile}`, ...named];
  const code = await runCommand(all, context, terminal);
  const { 'api-url': url = '' } = situation.options ?? {};
  const port = URL.canParse(url) && new URL(url).port;
  const shown = (text: string): string => {
    const placed = text.replaceAll(path, 'DIR');
    return port ? placed.replaceAll(`:${port}`, ':PORT') : placed;
  };
  return { code, out: shown(out), lines: shown(out).split('\n').slice(0, -1), err: shown(err) };
}

/** The lines of one step of `check`. */
export function linesOf({ lines }: Outcome, step: string): readonly string[] {
  return lines.filter((line) => line.slice(9, 25).trim() === step).map((line) => line.replace(/ {2,}/g, ' '));
}

/** Runs `check` and compares the lines of one step; the exit code is 1. */
export async function fails(
  t: Test,
  situation: Situation,
  step: string,
  ...expected: readonly string[]
): Promise<Outcome> {
  const outcome = await run(t, ['check'], situation);
  t.strictSame(linesOf(outcome, step), expected);
  t.equal(outcome.code, 1);
  return outcome;
}

/** Listens on a free port of loopback until the test ends. */
export async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

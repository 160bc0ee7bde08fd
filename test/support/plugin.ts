/**
 * Starts the plugin the way a launcher does: a child process, frames on its stdin and stdout. Everything lives in a
 * temporary directory that `close` removes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame, Wire } from './launcher.ts';

const root = resolve(import.meta.dirname, '../..');

/** The built executable. */
export const EXECUTABLE = join(root, 'dist/rstudio-kubernetes-launcher');
/** The built bundle, for `node` or `deno`. */
export const BUNDLE = join(root, 'dist/plugin.cjs');
/** The sources, for `node` or `deno`. */
export const SOURCES = join(root, 'src/main.ts');

/** A launcher's own environment is never clean. */
const LAUNCHER_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/root', LANG: 'C.UTF-8' };
const CLOSE_MS = 30_000;
const KEPT_FRAMES = 1_000;

/** What the plugin is started with; everything may be left out. */
export interface PluginStart {
  /** What the launcher calls it; default: what it calls itself, `kubernetes`. */
  readonly name?: string;
  /** Lines of the options file, beside those that tests always need (`options` wins over them). */
  readonly options?: Readonly<Record<string, string>>;
  /** The complete text of the options file instead. */
  readonly configText?: string;
  /** Further files beside the options file, such as `launcher.kubernetes.profiles.conf`. */
  readonly files?: Readonly<Record<string, string>>;
  /** Arguments after `--config-file=...`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Program and first arguments; default: the built executable. */
  readonly command?: readonly string[];
  /** Frames that are dropped unread, by their first bytes: parsing thousands would take the time that is measured. */
  readonly isDropped?: (head: string) => boolean;
  /** No `--config-file`: it finds its files by itself, as in a pod. */
  readonly findsOptions?: true;
  /** Where the files are; default: a new temporary directory. */
  readonly directory?: ConfigDirectory;
}

/** A temporary directory with an options file in it. */
interface ConfigDirectory {
  readonly path: string;
  readonly configFile: string;
  /** Where the options file says that the log is. */
  readonly logFile: string;
  readonly remove: () => void;
}

interface PluginExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface PluginProcess {
  readonly pid: number;
  readonly wire: Wire;
  /** The first frame, received already or later, that `wanted` accepts. Rejects after the deadline or at the end. */
  readonly waitFor: (wanted: (frame: Frame) => boolean, deadlineMs?: number) => Promise<Frame>;
  /** Writes bytes as they are, for frames that are not well made. */
  readonly sendBytes: (bytes: Uint8Array) => void;
  /** Closes its stdin. */
  readonly endInput: () => void;
  /** Stops and continues reading its stdout. */
  readonly setReading: (isReading: boolean) => void;
  /** Closes the reading end of its stdout. */
  readonly endOutput: () => void;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** What it wrote to stderr until now. */
  readonly stderr: () => string;
  /** What its log file holds now, '' if there is none. */
  readonly log: () => string;
  /** Resolves when a line of the log matches; rejects after a minute. */
  readonly logged: (pattern: RegExp) => Promise<void>;
  readonly directory: ConfigDirectory;
  readonly exit: Promise<PluginExit>;
  /**
   * Closes stdin, waits for the end (killing it after 30 s), removes the directory. Rejects if the token, or stdin or an
   * environment value of a job, is in the log or on stderr.
   */
  readonly close: () => Promise<PluginExit>;
}

/** Writes an options file and whatever else; as root the server user is `nobody`. */
export function writeConfig({ name = 'kubernetes', options, configText, files }: PluginStart): ConfigDirectory {
  const path = mkdtempSync(join(tmpdir(), 'kubernetes-plugin-'));
  // The server user reads profiles, token and CA there.
  chmodSync(path, 0o755);
  const configFile = join(path, 'launcher.kubernetes.conf');
  const logging = options?.['logging-dir'] ?? join(path, 'log');
  const all = {
    'server-user': process.getuid?.() === 0 ? 'nobody' : userInfo().username,
    'scratch-path': join(path, 'scratch'),
    'logging-dir': logging,
    'log-level': 'DEBUG',
    'plugin-metrics-interval-seconds': '0',
    ...options,
  };
  const text = Object.entries(all).map(([option, value]) => `${option}=${value}\n`);
  writeFileSync(configFile, configText ?? text.join(''), { mode: 0o600 });
  for (const [file, content] of Object.entries(files ?? {})) writeFileSync(join(path, file), content, { mode: 0o644 });
  return {
    path,
    configFile,
    logFile: join(logging, `rstudio-${name}-launcher.log`),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Resolves when the process was started; whether it works is seen from its frames. */
export async function startPlugin(start: PluginStart): Promise<PluginProcess> {
  const directory = start.directory ?? writeConfig(start);
  const named = start.name === undefined ? [] : [`--plugin-name=${start.name}`];
  const file = start.findsOptions === true ? [] : [`--config-file=${directory.configFile}`];
  const own = [...file, ...named, ...(start.args ?? [])];
  const [program, args] = withEnvironment(start.env ?? LAUNCHER_ENVIRONMENT, [
    ...(start.command ?? [EXECUTABLE]),
    ...own,
  ]);
  const child = spawn(program, args, { stdio: 'pipe' });
  try {
    await started(child);
  } catch (error) {
    directory.remove();
    throw error;
  }

  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const frames: Frame[] = [];
  const listeners = new Set<(frame: Frame) => void>();
  const takeBytes = frameReader((frame) => {
    frames.push(frame);
    if (frames.length > KEPT_FRAMES) frames.shift();
    for (const listener of [...listeners]) listener(frame);
  }, start.isDropped);
  child.stdout.on('data', takeBytes);
  // A plugin that ended does not read any more; its exit says why.
  child.stdin.on('error', () => undefined);
  const exit = new Promise<PluginExit>((done) => {
    child.on('close', (code, signal) => done({ code, signal }));
  });
  const ended = exit.then(({ code, signal }) => `the plugin ended with ${signal ?? `exit code ${code}`}: ${stderr}`);

  const secrets = new Set(secretsOfOptions(directory.configFile));
  const wire: Wire = {
    send: (frame) => {
      for (const secret of secretsOfFrame(frame)) secrets.add(secret);
      child.stdin.write(encodeFrame(frame));
    },
    onFrame: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ended,
  };
  return {
    pid: child.pid ?? 0,
    wire,
    waitFor: (wanted, deadlineMs = 60_000) =>
      new Promise((found, fail) => {
        const known = frames.find(wanted);
        if (known !== undefined) return found(known);
        const end = (settle: () => void): void => {
          clearTimeout(timer);
          stop();
          settle();
        };
        const timer = setTimeout(() => {
          const last = frames.at(-1);
          end(() =>
            fail(new Error(`not within ${deadlineMs} ms; the last frame is ${JSON.stringify(last)}; ${stderr}`)),
          );
        }, deadlineMs);
        const stop = wire.onFrame((frame) => {
          if (wanted(frame)) end(() => found(frame));
        });
        void ended.then((why) => end(() => fail(new Error(why))));
      }),
    sendBytes: (bytes) => child.stdin.write(bytes),
    endInput: () => child.stdin.end(),
    setReading: (isReading) => (isReading ? child.stdout.resume() : child.stdout.pause()),
    endOutput: () => child.stdout.destroy(),
    kill: (signal) => child.kill(signal),
    stderr: () => stderr,
    log: () => readIfThere(directory.logFile),
    logged: async (pattern) => {
      const deadline = performance.now() + 60_000;
      while (!pattern.test(readIfThere(directory.logFile))) {
        if (performance.now() > deadline) throw new Error(`not logged within 60 s: ${pattern}`);
        await sleep(20);
      }
    },
    directory,
    exit,
    close: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
      const result = await exit;
      clearTimeout(timer);
      const said = stderr + readIfThere(directory.logFile);
      directory.remove();
      const leaked = [...secrets].filter((secret) => said.includes(secret));
      if (leaked.length > 0) throw new Error(`the log of the plugin holds secrets: ${leaked.join(', ')}`);
      return result;
    },
  };
}

/** Shorter strings are in logs by chance. */
const SHORTEST_SECRET = 8;

/** Secrets that a plugin receives and must never write into its log: stdin, and values of the environment. */
function secretsOfFrame({ job }: Frame): readonly string[] {
  const { stdin, environment } = (job ?? {}) as { stdin?: unknown; environment?: unknown };
  const values = Array.isArray(environment) ? environment.map((variable) => variable?.value) : [];
  return [stdin, ...values].filter(
    (text): text is string => typeof text === 'string' && text.length >= SHORTEST_SECRET,
  );
}

function secretsOfOptions(configFile: string): readonly string[] {
  const token = /^auth-token\s*=\s*(\S+)/m.exec(readIfThere(configFile))?.[1] ?? '';
  return token.length >= SHORTEST_SECRET ? [token] : [];
}

/**
 * Program and arguments that run a command with exactly this environment, in the same process: the test runner adds
 * variables of its own to every program that a test starts.
 */
export function withEnvironment(
  env: Readonly<Record<string, string>>,
  command: readonly string[],
): [program: string, args: string[]] {
  return ['/usr/bin/env', ['-i', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command]];
}

/** The variable with which Node.js keeps compiled code between processes, as `npm test` sets it. */
export function compileCache(): Record<string, string> {
  const directory = process.env['NODE_COMPILE_CACHE'];
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}

/** 4 bytes of length, then JSON (protocol 4.1). */
function encodeFrame(frame: unknown): Buffer {
  return encodeFrameBody(JSON.stringify(frame));
}

/** A frame of a text that is written as it is. */
export function encodeFrameBody(text: string): Buffer {
  const body = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Longest beginning of a frame that `isDropped` is given. */
const HEAD_BYTES = 200;

/** Returns a function that takes bytes however they were split, and calls `take` for each frame that is not dropped. */
function frameReader(take: (frame: Frame) => void, isDropped = (_: string) => false): (bytes: Buffer) => void {
  let chunks: Buffer[] = [];
  let held = 0;
  let wanted = 4;
  return (bytes) => {
    chunks.push(bytes);
    held += bytes.length;
    if (held < wanted) return;
    let rest = Buffer.concat(chunks);
    for (;;) {
      wanted = rest.length < 4 ? 4 : 4 + rest.readUInt32BE(0);
      if (rest.length < 4 || rest.length < wanted) break;
      const head = rest.toString('latin1', 4, Math.min(wanted, HEAD_BYTES));
      if (!isDropped(head)) take(JSON.parse(rest.toString('utf8', 4, wanted)));
      rest = rest.subarray(wanted);
    }
    chunks = [rest];
    held = rest.length;
  };
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

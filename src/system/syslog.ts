/** Log lines for syslog: one child process /usr/bin/logger, because Node.js cannot write Unix datagrams. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Clock } from './clock.ts';
import type { LogLevel } from './log.ts';
import type { LogSink } from './logger.ts';

const LOGGER = '/usr/bin/logger';
/** Where a syslog server listens. Without one, the logger of util-linux drops its input and reports nothing. */
const SOCKET = '/dev/log';

/** Facility `daemon`. */
const FACILITY = 3 * 8;
const SEVERITIES: Readonly<Record<LogLevel, number>> = { OFF: 7, ERROR: 3, WARNING: 4, INFO: 6, DEBUG: 7 };

/** Most bytes that wait for the child. */
const MOST_WAITING = 1024 * 1024;

/** A child that exits sooner is not started again at once. */
const RESTART_MS = 1_000;

interface SyslogOptions {
  /** The name in each entry. */
  readonly program: string;
  readonly clock: Clock;
  /** Default `/usr/bin/logger`. */
  readonly logger?: string;
  /** Default `/dev/log`. */
  readonly socket?: string;
}

/** Why this host has no syslog, and what to do; undefined if it has one. */
export function syslogDenial(
  logger = LOGGER,
  socket = SOCKET,
): { readonly why: string; readonly remedy: string } | undefined {
  if (!existsSync(logger)) return { why: `${logger} does not exist`, remedy: 'install util-linux' };
  return existsSync(socket) ? undefined : { why: `${socket} does not exist`, remedy: 'start a syslog server' };
}

/** Opens syslog. Throws if this host has none; so does `write` if the child exits again and again, or does not read. */
export function openSyslog(options: SyslogOptions): LogSink {
  return new Syslog(options);
}

class Syslog implements LogSink {
  readonly #clock: Clock;
  readonly #program: string;
  readonly #logger: string;
  #child: ChildProcess;
  #startedAt: number;
  #error: Error | undefined;

  constructor({ program, clock, logger = LOGGER, socket }: SyslogOptions) {
    const denial = syslogDenial(logger, socket);
    if (denial !== undefined) throw new Error(`${denial.why}: ${denial.remedy}, or change logging.conf`);
    this.#clock = clock;
    this.#program = program;
    this.#logger = logger;
    this.#startedAt = clock.monotonic();
    this.#child = this.#start();
  }

  write(lines: readonly string[], level: LogLevel): void {
    if (this.#error !== undefined) this.#restart(this.#error);
    const { stdin } = this.#child;
    if (stdin === null) throw new Error(`${this.#logger} has no stdin`);
    if (stdin.writableLength > MOST_WAITING) {
      // Its end would wait behind these bytes, and another one is started soon.
      this.#child.kill('SIGKILL');
      stdin.destroy();
      throw new Error(`${this.#logger} does not read its input`);
    }
    stdin.write(lines.map((line) => `<${FACILITY + SEVERITIES[level]}>${line}\n`).join(''));
  }

  close(): void {
    this.#child.stdin?.end();
  }

  #restart(error: Error): void {
    const now = this.#clock.monotonic();
    if (now - this.#startedAt < RESTART_MS) throw error;
    this.#startedAt = now;
    this.#child = this.#start();
  }

  #start(): ChildProcess {
    this.#error = undefined;
    const child = spawn(this.#logger, ['--prio-prefix', '--tag', this.#program], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
      cwd: '/',
    });
    const failed = (error: Error): void => {
      if (this.#child === child) this.#error = error;
    };
    child.on('error', (cause) => failed(new Error(`cannot run ${this.#logger}: ${cause.message}`, { cause })));
    child.on('exit', (code, signal) => {
      failed(new Error(`${this.#logger} exited with ${code === null ? signal : `code ${code}`}`));
    });
    child.stdin?.on('error', (cause) => failed(new Error(`cannot write to ${this.#logger}: ${cause.message}`)));
    // The child must not keep the plugin from exiting.
    child.unref();
    return child;
  }
}

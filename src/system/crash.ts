/** The end after an error that nobody expected: logged, what is queued written, exit code 70. */
import type { Log } from './log.ts';

/** A defect of the plugin ended it (sysexits.h: EX_SOFTWARE). */
const EXIT_CRASH = 70;

/** Longest time that what is queued may take to be written. */
const FLUSH_MS = 2_000;

/** What has to be done before the process ends of an unexpected error. */
interface CrashOptions {
  readonly log: Log;
  /** Writes what is queued for the launcher. */
  readonly flush: () => Promise<void>;
  /** Ends the process; default process.exit, called with 70. */
  readonly exit?: (code: number) => void;
}

/**
 * From now on an exception or a rejection that nobody handles is logged with its stack, what is queued is written, and
 * the process ends with code 70. Nothing can be trusted afterwards, so nothing goes on.
 */
export function exitOnCrash({ log, flush, exit = process.exit }: CrashOptions): void {
  let crashed = false;
  const crash = (error: unknown): void => {
    log.error('The plugin ends because of an unexpected error, a defect of the plugin', { error });
    const end = (): void => exit(EXIT_CRASH);
    if (crashed) {
      end();
    } else {
      crashed = true;
      setTimeout(end, FLUSH_MS);
      flush().then(end, end);
    }
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}

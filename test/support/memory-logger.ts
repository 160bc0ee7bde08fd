/** A logger of the plugin that writes into memory, at noon of a day in January. */
import type { LogLevel } from '../../src/system/log.ts';
import { type LogFormat, textFormat } from '../../src/system/log-format.ts';
import { createLogger } from '../../src/system/logger.ts';
import { fakeClock } from './fake-clock.ts';

export const PROGRAM = 'rstudio-kubernetes-launcher';
export const NOON = Date.UTC(2026, 0, 2, 12);

export function memoryLogger(level: LogLevel, format: LogFormat = textFormat(PROGRAM)) {
  const clock = fakeClock(NOON);
  const lines: string[] = [];
  const log = createLogger({
    level,
    format,
    clock,
    open: () => ({ write: (written) => lines.push(...written), close: () => {} }),
  });
  return { clock, lines, log };
}

/** The log goes to its file, and with `warn-syslog` to syslog besides; a host without syslog keeps the file. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { openDestination } from '../../src/system/log-destination.ts';
import { LOG_FILE_LIMITS } from '../../src/system/log-file.ts';
import { fakeClock } from '../support/fake-clock.ts';

t.test(
  'warn-syslog on a host without logger: the file has all lines, and the error is reported once a minute',
  async (t) => {
    const directory = t.testdir({});
    const clock = fakeClock();
    const errors: unknown[] = [];
    const destination = {
      type: 'file',
      directory,
      file: { ...LOG_FILE_LIMITS, hasPid: false },
      warnSyslog: true,
    } as const;
    const sink = openDestination(destination, {
      program: 'plugin',
      clock,
      writeStderr: () => t.fail('stderr is not used'),
      onSyslogError: (error) => errors.push(error),
      logger: '/nonexistent/logger',
    });
    sink.write(['a line'], 'INFO');
    t.equal(errors.length, 0);
    sink.write(['a warning'], 'WARNING');
    sink.write(['an error'], 'ERROR');
    t.match(errors, [{ message: '/nonexistent/logger does not exist: install util-linux, or change logging.conf' }]);
    clock.advance(60_000);
    sink.write(['a later warning'], 'WARNING');
    t.equal(errors.length, 2);
    t.equal(readFileSync(`${directory}/plugin.log`, 'utf8'), 'a line\na warning\nan error\na later warning\n');
    sink.close();
  },
);

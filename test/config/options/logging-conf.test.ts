/** The log is decided by the options file, RS_LOG_* variables, logging.conf, and the launcher's command line, in this order. */
import { chmodSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type LogSettings, logSettings, readLoggingConf } from '../../../src/config/options/logging-conf.ts';
import { loadOptions } from '../../../src/config/options/options.ts';
import { advise, ConfigError, place } from '../../../src/config/text/problem.ts';
import { environment } from './reading.ts';
import { REACH } from './samples.ts';

interface Sources {
  readonly options?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly conf?: string;
  readonly argv?: readonly string[];
}

interface Decided {
  readonly settings: LogSettings;
  readonly warnings: readonly string[];
  /** Where level, destination and directory were decided. */
  readonly by: readonly string[];
}

/** The settings that these sources give, with DIR for the directory of the files. */
async function decided(test: Test, { options = '', env = {}, conf, argv = [] }: Sources): Promise<Decided> {
  const directory = test.testdir({});
  writeFileSync(`${directory}/launcher.kubernetes.conf`, REACH + options, { mode: 0o600 });
  if (conf !== undefined) writeFileSync(`${directory}/logging.conf`, conf, { mode: 0o644 });
  const absolute = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.replace('DIR', directory)]),
  );
  const loaded = await loadOptions({ ...environment, argv, env: { RSTUDIO_CONFIG_DIR: directory, ...absolute } });
  if (!loaded.ok) throw new ConfigError('invalid', loaded.problems);
  const read = readLoggingConf(loaded.options);
  const settings = logSettings(loaded.options, read);
  return {
    settings,
    warnings: read.warnings.map((each) => advise(each).replaceAll(directory, 'DIR')),
    by: ['log-level', 'logger-type', 'log-dir'].map((key) => {
      const origin = settings.origins.get(key);
      return origin === undefined ? 'default' : place(origin).replace(directory, 'DIR');
    }),
  };
}

/** Level, destination, format and directory. */
async function short(test: Test, sources: Sources): Promise<readonly string[]> {
  const { level, type, format, directory } = (await decided(test, sources)).settings;
  return [level, type, format, directory];
}

const DEFAULT_DIRECTORY = '/var/log/rstudio/launcher';
const CONF = '[*]\nlog-level=info\nlogger-type=stderr\nlog-dir=/conf\nlog-message-format=json\n';

t.test('without any source the options have their defaults', async (t) => {
  const { settings, warnings, by } = await decided(t, {});
  t.same(settings, {
    level: 'WARNING',
    format: 'text',
    type: 'file',
    directory: DEFAULT_DIRECTORY,
    file: {
      mode: 0o600,
      rotate: true,
      bytes: 2_000_000,
      ageMs: 86_400_000,
      files: 100,
      keptMs: 2_592_000_000,
      hasPid: false,
    },
    warnSyslog: false,
    origins: new Map(),
  });
  t.same(warnings, []);
  t.same(by, ['default', 'default', 'default']);
});

t.test('logging.conf overrides the command line of the launcher', async (t) => {
  const argv = ['--log-level=DEBUG', '--logging-dir=/command', '--log-format=text'];
  t.same(await short(t, { conf: CONF, argv }), ['INFO', 'stderr', 'json', '/conf']);
  const { by } = await decided(t, { conf: CONF, argv });
  t.same(by, ['DIR/logging.conf:2', 'DIR/logging.conf:3', 'DIR/logging.conf:4']);
});

t.test('variables override logging.conf', async (t) => {
  const env = {
    RS_LOG_LEVEL: 'error',
    RS_LOGGER_TYPE: 'syslog',
    RS_LOG_MESSAGE_FORMAT: 'pretty',
    RS_LOG_DIR: '/variable',
  };
  t.same(await short(t, { conf: CONF, env }), ['ERROR', 'syslog', 'text', '/variable']);
  t.same((await decided(t, { conf: CONF, env })).by, ['environment', 'environment', 'environment']);
});

t.test('the options file overrides variables; logging-dir does not change the destination', async (t) => {
  const options = 'log-level=WARNING\nlog-format=text\nlogging-dir=/options\n';
  const env = { RS_LOG_LEVEL: 'error', RS_LOG_DIR: '/variable' };
  t.same(await short(t, { conf: CONF, env, options }), ['WARNING', 'stderr', 'text', '/options']);
});

t.test('enable-debug-logging=1 means DEBUG from anywhere, 0 means nothing', async (t) => {
  t.equal((await short(t, { conf: CONF, argv: ['--enable-debug-logging=1'] }))[0], 'DEBUG');
  t.equal((await short(t, { conf: CONF, options: 'enable-debug-logging=0\n' }))[0], 'INFO');
});

t.test('the line with enable-debug-logging=1 decides the level', async (t) => {
  const options = 'enable-debug-logging=1\n';
  const { by } = await decided(t, { conf: CONF, env: { RS_LOG_LEVEL: 'warn' }, options });
  t.equal(by[0], 'DIR/launcher.kubernetes.conf:3');
});

t.test('the section of this program overrides [*]; sections of other programs are ignored', async (t) => {
  const conf =
    '[@rstudio-kubernetes-launcher]\nlog-level=debug\n[*]\nlog-level=error\nlog-dir=/all\n[@rserver]\nlog-level=x\nunknown=1\n';
  const { settings, warnings } = await decided(t, { conf });
  t.same([settings.level, settings.directory, warnings], ['DEBUG', '/all', []]);
});

t.test('all keys of the log file', async (t) => {
  const conf =
    '[*]\nlog-file-mode=666\nrotate=0\nmax-size-mb=5\nrotate-days=2\nmax-rotations=7\ndelete-days=3\nlog-file-include-pid=1\nwarn-syslog=1\n';
  const { settings } = await decided(t, { conf });
  t.same(settings.file, {
    mode: 0o644,
    rotate: false,
    bytes: 5_000_000,
    ageMs: 172_800_000,
    files: 7,
    keptMs: 259_200_000,
    hasPid: true,
  });
  t.ok(settings.warnSyslog);
});

t.test('what cannot be used in logging.conf is a warning', async (t) => {
  const { settings, warnings } = await decided(t, {
    conf: '[*]\nlog-level=loud\nlog-levle=info\nlogger-type=\nx\n',
  });
  t.equal(settings.level, 'WARNING');
  t.same(warnings, [
    'DIR/logging.conf:2: log-level: "loud" must be one of error, warn, info, debug',
    'DIR/logging.conf:3: log-levle: is not a key of logging.conf (did you mean "log-level"?)',
    'DIR/logging.conf:5: must be name=value, a [section], or a comment that begins with # or ;',
  ]);
});

t.test('a section or key that is written twice: the first counts, with a warning', async (t) => {
  const conf = '[*]\nlogger-type=syslog\nlog-level=info\nlog-level=debug\n[@rserver]\n[*]\nlogger-type=stderr\n';
  const { settings, warnings } = await decided(t, { conf });
  t.same([settings.type, settings.level], ['syslog', 'INFO']);
  t.same(warnings, [
    'DIR/logging.conf:4: log-level: is already set on line 3',
    'DIR/logging.conf:6: section [*] is already on line 1 -> move its keys there',
  ]);
});

t.test('a key before the first section is a warning if it is a key of logging.conf', async (t) => {
  const { settings, warnings } = await decided(t, { conf: 'logger-type=stderr\nother=1\nlog-level info\n[*]\n' });
  t.same([settings.type, settings.level], ['file', 'WARNING']);
  t.same(warnings, [
    'DIR/logging.conf:1: logger-type: has no effect before the first section -> write this line below [*]',
    'DIR/logging.conf:3: must be name=value, a [section], or a comment that begins with # or ;',
  ]);
});

t.test(
  'malformed lines in sections of other programs are ignored, but not a section without its bracket',
  async (t) => {
    const conf = '[@rserver]\nx\na=1\na=2\n[@rserver]\n[*\nlog-level=info\n';
    const { settings, warnings } = await decided(t, { conf });
    t.equal(settings.level, 'WARNING');
    t.same(warnings, [
      'DIR/logging.conf:6: the section does not end with ]: write [name]; only a # comment may follow it',
    ]);
  },
);

t.test('RS_LOG_CONF_FILE names the file, which must exist', async (t) => {
  t.equal((await short(t, { env: { RS_LOG_CONF_FILE: 'DIR/logging.conf' }, conf: CONF }))[0], 'INFO');
  const { warnings } = await decided(t, { env: { RS_LOG_CONF_FILE: 'DIR/other.conf' }, conf: CONF });
  t.same(warnings, [
    'DIR/other.conf: RS_LOG_CONF_FILE: the file does not exist -> create this file, or unset the variable',
  ]);
});

t.test('values of variables are checked like options', async (t) => {
  const env = { RS_LOG_LEVEL: 'loud', RS_LOG_DIR: 'log', RS_LOG_CONF_FILE: 'logging.conf' };
  await t.rejects(decided(t, { env }), {
    message:
      'environment: RS_LOG_LEVEL: "loud" must be one of error, warn, info, debug; environment: RS_LOG_DIR: "log" must be an absolute path; environment: RS_LOG_CONF_FILE: "logging.conf" must be an absolute path',
  });
});

t.test('a logging.conf that every user can change stops the start', async (t) => {
  const directory = t.testdir({});
  writeFileSync(`${directory}/logging.conf`, CONF);
  chmodSync(`${directory}/logging.conf`, 0o666);
  const logging = { variables: new Map(), file: `${directory}/logging.conf`, isNamed: false };
  t.throws(() => readLoggingConf({ logging, strictFiles: false }), {
    message: `${directory}/logging.conf: can be changed by every user of this host -> chmod o-w ${directory}/logging.conf`,
  });
});

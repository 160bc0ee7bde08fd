/** Step `launcher-conf`: whether launcher.conf starts this program for the cluster that is checked. */
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkLauncherConf, findLauncherConf } from '../../src/cli/check/check-launcher-conf.ts';

const FILE = '/etc/rstudio/launcher.conf';
const skip = process.getuid?.() === 0 ? false : 'only root owns what it writes';

/** Level, finding and remedy for this text. */
function judged(text: string, program?: { dev: number; ino: number }): string[] {
  return checkLauncherConf({ file: FILE, text }, { pluginName: 'kubernetes' }, program).findings.map(
    ({ status, found, remedy = '' }) => [status, found, remedy].join(' | '),
  );
}

const section = (...lines: readonly string[]): string =>
  ['[server]', 'port=5559', '', '[cluster]', 'name=Local', 'type=Local', '', '[cluster]', ...lines, ''].join('\n');

t.test('a cluster that the first-party plugin serves, as before a switch', async (t) => {
  t.strictSame(judged(section('name=Kubernetes', 'type=Kubernetes')), [
    `warning | ${FILE}:10: cluster Kubernetes has type Kubernetes, so the launcher does not start this plugin | to start it, write type=Plugin and exe=/usr/local/sbin/rstudio-kubernetes-launcher`,
  ]);
});

t.test('no cluster with this name', async (t) => {
  t.strictSame(judged(section('name=Gpu', 'type=Plugin', 'exe=/x')), [
    `warning | ${FILE} has no cluster with the name kubernetes (it has: Local, Gpu) | add a section [cluster] with name, type=Plugin and exe; or check with --plugin-name=NAME`,
  ]);
});

t.test('a program that is not named, does not exist or is not executable', async (t) => {
  t.strictSame(judged(section('name=Kubernetes', 'type=Plugin')), [
    `failed | ${FILE}:8: cluster Kubernetes has no exe | add the line exe=/usr/local/sbin/rstudio-kubernetes-launcher`,
  ]);
  t.strictSame(judged(section('name=Kubernetes', 'type=Plugin', 'exe=/usr/sbin/no-such-launcher')), [
    `failed | ${FILE}:11: exe: /usr/sbin/no-such-launcher does not exist | correct this line, and restart the launcher`,
  ]);
  t.strictSame(judged(section('name=Kubernetes', 'type=Plugin', 'exe=/etc/passwd')), [
    `failed | ${FILE}:11: exe: /etc/passwd is not executable | chmod 0755 /etc/passwd`,
  ]);
});

/** A program below a directory of root. */
function programOf(t: Test, mode: number): string {
  const directory = mkdtempSync('/usr/local/launcher-conf-');
  t.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  const path = join(directory, 'plugin');
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, mode);
  return path;
}

t.test('a program that another user can change: the launcher starts it as root', { skip }, async (t) => {
  const exe = programOf(t, 0o777);
  t.strictSame(judged(section('name=kubernetes', 'type=plugin', `exe=${exe}`)), [
    `warning | ${FILE}:11: exe: ${exe} can be changed by another user than root through ${exe}, and the launcher starts it as root | chown root:root ${exe} && chmod go-w ${exe}`,
  ]);
});

t.test('this program, and another one', { skip }, async (t) => {
  const exe = programOf(t, 0o755);
  const text = section('name=Kubernetes', 'type=Plugin', `exe=${exe}`);
  t.strictSame(judged(text, statSync(exe)), [`ok | ${FILE}:11: exe: ${exe} is started for cluster Kubernetes | `]);
  t.strictSame(judged(text, statSync('/bin/sh')), [
    `warning | ${FILE}:11: exe: ${exe} is another file than this program | run check with that one: ${exe} check`,
  ]);
});

t.test('launcher.conf is looked up as the options file is, and may be missing', async (t) => {
  const directory = t.testdir({ own: { 'launcher.conf': '[server]\n' }, named: {} });
  const none = { configFile: `${directory}/named/launcher.kubernetes.conf`, pluginName: 'kubernetes' };
  const origins = new Map([['config-file' as const, { file: 'command line', line: 0 }]]);
  const environment = { RSTUDIO_CONFIG_DIR: `${directory}/own` };
  t.equal(findLauncherConf({ ...none, origins: new Map() }, environment)?.file, `${directory}/own/launcher.conf`);
  t.equal(findLauncherConf({ ...none, origins }, environment), undefined);
});

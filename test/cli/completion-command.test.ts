/** Completions and the man page follow from the tables of commands and options. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { manPage } from '../../build/man-page.ts';
import { COMMANDS } from '../../src/cli/command-runner.ts';
import { completionScript } from '../../src/cli/completion-command.ts';
import { OPTION_NAMES } from '../../src/config/options/option-table.ts';
import { run } from './harness.ts';

const execute = promisify(execFile);

/** What bash offers for the last of these words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const program = `${completionScript('bash', COMMANDS)}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
_rstudio_kubernetes_launcher
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await execute('/bin/bash', ['-c', program]);
  return stdout.split('\n').filter(Boolean);
}

t.test('bash completes commands', async (t) => {
  t.strictSame(await offered('rstudio-kubernetes-launcher', 'e'), ['explain', 'events']);
});

t.test('bash completes flags of a command and options of the plugin', async (t) => {
  t.strictSame(await offered('rstudio-kubernetes-launcher', 'jobs', '--si'), ['--since']);
  t.strictSame(await offered('rstudio-kubernetes-launcher', 'jobs', '--job'), ['--job-expiry-hours=']);
});

t.test('bash completes words that are a choice', async (t) => {
  t.strictSame(await offered('rstudio-kubernetes-launcher', 'completion', 'z'), ['zsh']);
});

t.test('bash completes ids of jobs by asking the program', async (t) => {
  const fake = '/bin/echo';
  t.strictSame(await offered(fake, 'logs', 'n'), ['name']);
});

t.test('completion prints the script of a shell', async (t) => {
  t.equal((await run(t, ['completion', 'bash'])).out, completionScript('bash', COMMANDS));
  t.match((await run(t, ['completion', 'zsh'])).out, /^#compdef rstudio-kubernetes-launcher\n/);
  const { code, err } = await run(t, ['completion', 'fish']);
  t.strictSame([code, err], [2, 'rstudio-kubernetes-launcher: completion: the shell is bash or zsh, not "fish"\n']);
});

t.test('the zsh script has each command and flag', async (t) => {
  const script = completionScript('zsh', COMMANDS);
  for (const { name, flags } of COMMANDS) {
    t.match(script, `    '${name}:`);
    for (const flag of flags) t.match(script, `'--${flag.name}`);
  }
});

t.test('the man page has each command and option', async (t) => {
  const page = manPage().replaceAll('\\-', '-');
  for (const { name } of COMMANDS) t.match(page, new RegExp(`^\\.SS ${name}`, 'm'));
  for (const name of OPTION_NAMES) t.match(page, `\n.B ${name}\n`);
});

const GROFF = '/usr/bin/groff';
t.test(
  'groff formats the man page without a warning',
  { skip: existsSync(GROFF) ? false : 'needs groff' },
  async (t) => {
    const child = execFile(GROFF, ['-man', '-Tutf8', '-ww', '-z']);
    let warnings = '';
    child.stderr?.on('data', (text) => {
      warnings += text;
    });
    child.stdin?.end(manPage());
    await new Promise((resolve) => child.once('close', resolve));
    t.equal(warnings, '');
  },
);

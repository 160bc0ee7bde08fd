/** The command line of the plugin is parsed in both forms, with prefixes of names; errors never echo secrets. */
import t from 'tap';
import { parseCommandLine } from '../../../src/config/options/command-line.ts';
import { describe } from '../../../src/config/text/problem.ts';

t.test('command line: both forms, prefixes, and what is wrong with it', async (t) => {
  const good = parseCommandLine([
    '--heart=1',
    '--plugin-name',
    'k2',
    '--new-option',
    'x',
    '--newer=secret',
    '-v',
    '--unpriv=1',
  ]);
  t.same(
    [...good.values],
    [
      ['heartbeat-interval-seconds', '1'],
      ['plugin-name', 'k2'],
      ['unprivileged', '1'],
    ],
  );
  t.same(good.problems, []);
  t.same(good.warnings.map(describe), [
    'command line: new-option: is not an option of this plugin and is ignored',
    'command line: newer: is not an option of this plugin and is ignored',
    'command line: v: is not an option of this plugin and is ignored',
  ]);
  const bad = parseCommandLine([
    '--plugin=x',
    'stray',
    '--log-level',
    '--fetch-limit=1',
    '--fetch-limit=2',
    '--auth-token=SECRET',
    '--auth-tok=SECRET',
  ]);
  t.same(bad.problems.map(describe), [
    'command line: plugin: is ambiguous: it matches plugin-metrics-interval-seconds, plugin-name',
    'command line: "stray" is not an option: write --name=value',
    'command line: log-level: needs a value: --log-level=value',
    'command line: fetch-limit: is given twice',
    'command line: auth-token: is allowed in the options file only: every user can read a command line',
    'command line: auth-tok: is ambiguous: it matches auth-token, auth-token-path',
  ]);
});

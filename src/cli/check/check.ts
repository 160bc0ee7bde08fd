/**
 * `check`: goes through what can be wrong, in the order in which the plugin would meet it, with the code that the plugin
 * uses (design.md section 8). Later steps are tried wherever they can be.
 */
import type { Client } from '../../kubernetes/contract.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { connect, type Surroundings } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { askRights, checkClock, checkNamespace, checkPermissions, checkVersion } from './api.ts';
import { checkAccounts, checkConstraints, checkInstances, checkMetrics, checkNodes } from './cluster.ts';
import { checkAccess, checkOpenFiles, checkOptions, checkProfiles, checkServerUser } from './configuration.ts';
import { checkName, checkTcp, endpointOf } from './network.ts';
import { all, createReport } from './report.ts';
import { checkTls } from './tls.ts';
import { checkToken } from './token.ts';

/** All steps together. */
const TOTAL_MS = 15_000;
/** One call: a healthy API server answers in a tenth of a second. */
const CALL_MS = 5_000;

export const check: Command = {
  name: 'check',
  summary:
    'Goes through what can be wrong, from the options file to the rights in the cluster, and says how to mend it.',
  about:
    'One line each: ok, warning, failed, or skipped because of something before. Takes at most 15 s and changes nothing in the cluster. Run it as root, as the launcher runs the plugin: it lowers itself to server-user first. Exit code 1 if anything failed.',
  words: [],
  flags: [{ name: 'json', doc: 'One JSON object, for machines.' }],
  examples: [
    ['sudo rstudio-kubernetes-launcher check', 'Everything that does not depend on a user.'],
    [
      'sudo rstudio-kubernetes-launcher check --plugin-name=gpu --json',
      'The cluster of launcher.gpu.conf, for monitoring.',
    ],
  ],
  run: runCheck,
};

async function runCheck(args: Arguments, surroundings: Surroundings, terminal: Terminal): Promise<number> {
  const { clock, random } = surroundings;
  const report = createReport({ terminal, clock, json: args.flags.has('json'), totalMs: TOTAL_MS });
  const { step } = report;

  const read = await step('options', args.options, (argv) => checkOptions(argv, surroundings));
  const lowered = await step('server-user', read, (options) => checkServerUser(options, surroundings));
  const options = lowered === undefined ? undefined : read;
  await step('open-files', options, () => checkOpenFiles());
  const files = await step('profiles', options, (given) => checkProfiles(given, surroundings));
  const access = await step('ca', options, (given) => checkAccess(given));
  const claims = await step('token', all(options, access), ([given, { namespace }]) =>
    checkToken(given, namespace, clock.now()),
  );

  const endpoint = options === undefined ? undefined : endpointOf(options.apiUrl);
  const addresses = await step('name', endpoint, (to) => checkName(to, clock));
  const answers = await step('tcp', all(endpoint, addresses), ([to, found]) => checkTcp(to, found, clock));
  const secure = await step('tls', all(endpoint, options, access, answers), ([to, given, trusted]) =>
    checkTls(to, given, trusted, clock),
  );

  let client: Client | undefined;
  try {
    if (options !== undefined && access !== undefined && secure !== undefined && claims !== undefined) {
      client = connect(options, surroundings, { access, timeoutMs: CALL_MS });
    }
    const version = await step('version', all(client, claims), ([api, whose]) => checkVersion(api, whose, clock));
    const api = version === undefined ? undefined : client;
    await step('clock', api, (from) => checkClock(from, clock));
    const rights = await step('rights', all(api, options), async ([from, given]) => ({
      findings: [],
      value: await askRights(from, given),
    }));
    await step('namespace', all(api, rights), ([from, known]) => checkNamespace(from, known, random));
    const account = claims?.subject ?? 'the account';
    await step('permissions', rights, (known) => checkPermissions(known, account));
    const nodes = await step('nodes', api, checkNodes);
    await step('metrics', api, checkMetrics);
    await step('constraints', all(files, nodes), ([of, known]) => checkConstraints(of, known));
    await step('launchers', api, checkInstances);
    await step('accounts', all(rights, access), ([known, { namespace }]) => checkAccounts(known, namespace));
  } finally {
    await client?.close();
  }
  return report.finish();
}

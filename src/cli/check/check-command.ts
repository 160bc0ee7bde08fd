/**
 * `check`: tests everything that the plugin needs, in the order in which the plugin needs it, with the code that the plugin
 * uses (architecture.md section 8). A failed step skips only the steps that depend on it.
 */
import type { Options } from '../../config/options/options.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { effectiveProfile, NOBODY } from '../../config/profiles/profiles.ts';
import { connect } from '../../jobs/connect.ts';
import type { Policy } from '../../jobs/policy/policy.ts';
import type { Client } from '../../kubernetes/contract.ts';
import { programFile } from '../../system/process.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command-contract.ts';
import { policyOf } from '../command-policy.ts';
import type { CommandContext } from '../command-session.ts';
import type { Terminal } from '../terminal.ts';
import { checkClock, checkNamespace, checkPermissions, checkVersion, hasNothing, reviewRules } from './check-api.ts';
import {
  checkAccounts,
  checkConstraints,
  checkInstances,
  checkMetrics,
  checkNodes,
  type KnownNodes,
  sharedRole,
} from './check-cluster.ts';
import {
  checkAccess,
  checkDirectories,
  checkOpenFiles,
  checkOptions,
  checkProfiles,
  checkServerUser,
} from './check-configuration.ts';
import { checkRunningPlugin } from './check-hardening.ts';
import { checkLauncherConf, findLauncherConf } from './check-launcher-conf.ts';
import { checkNamedObjects } from './check-named-objects.ts';
import { checkName, checkTcp, endpointOf } from './check-network.ts';
import { checkOverrideLists, writtenOverrides } from './check-overrides.ts';
import { all, CheckReport, only } from './check-report.ts';
import { checkSections } from './check-sections.ts';
import { checkTemplateFiles, checkTemplateJobs, renderedSample } from './check-templates.ts';
import { checkTls } from './check-tls.ts';
import { checkToken, grantCommand } from './check-token.ts';
import { checkImages, checkResourceProfiles, checkUser, checkUserConstraints, checkUserJob } from './check-user.ts';
import { rootOnNode } from './root-on-node.ts';
import { runTestJob, TEST_JOB_MS } from './test-job.ts';

/** All steps together. */
const TOTAL_MS = 15_000;
/** One call: a healthy API server answers in a tenth of a second. */
const CALL_MS = 5_000;

export const check: Command = {
  name: 'check',
  summary:
    'Tests everything the plugin needs, from the options file to the permissions in the cluster, and says how to fix each problem.',
  about:
    'Prints one line for each result: ok, warning, failed, or skipped because of an earlier failure. Takes at most 15 s and changes nothing in the cluster, except with --submit-test-job. Run it as root, as the launcher starts the plugin: it drops privileges to server-user first. The exit code is 1 if anything failed.',
  words: [],
  flags: [
    {
      name: 'user',
      value: 'USER',
      doc: 'Also check the profile of this user: images, constraints, overrides, and whether the user can become root on a node.',
    },
    { name: 'json', doc: 'Print one JSON object.' },
    {
      name: 'submit-test-job',
      doc: 'Submit a small job, wait for its end, read its output and delete it. This takes at most 60 s more. It runs as USER or the server user.',
    },
    { name: 'image', value: 'IMAGE', doc: 'Image of the test job; default: the default image of the profile.' },
  ],
  examples: [
    ['sudo rstudio-kubernetes-launcher check', 'Everything that does not depend on a user.'],
    [
      'sudo rstudio-kubernetes-launcher check --plugin-name=gpu --json',
      'For monitoring: the cluster of launcher.gpu.conf.',
    ],
  ],
  run: runCheck,
};

async function runCheck(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const { clock, random } = context;
  const withJob = args.flags.has('submit-test-job');
  const report = new CheckReport({
    terminal,
    clock,
    json: args.flags.has('json'),
    totalMs: TOTAL_MS + (withJob ? TEST_JOB_MS + CALL_MS : 0),
  });
  const step: Step = (name, needs, run) => report.step(name, needs, run);

  const read = await step('options', args.options, (argv) => checkOptions(argv, context));
  const isServerUser = await step('server-user', read, (given) => checkServerUser(given, context));
  const options = isServerUser === undefined ? undefined : read;
  const asWhom = all(options, isServerUser);
  await step('open-files', options, () => checkOpenFiles());
  await step('directories', asWhom, ([given, isIt]) => checkDirectories(given, isIt));
  const launcherConf = options === undefined ? undefined : findLauncherConf(options, context.environment);
  if (launcherConf !== undefined) {
    await step('launcher-conf', options, (given) => checkLauncherConf(launcherConf, given, programFile()));
  }
  await step('hardening', options, (given) => checkRunningPlugin(given));
  const files = await step('profiles', asWhom, ([given, isIt]) => checkProfiles(given, isIt, context));
  const isTemplating = options?.useTemplating === true;
  const templates = isTemplating
    ? await step('templates', asWhom, ([given, isIt]) => checkTemplateFiles(given, isIt))
    : undefined;
  /** The options, if jobs can be made with them. */
  const usable = isTemplating && templates === undefined ? undefined : options;
  const access = await step('ca', asWhom, ([given, isIt]) => checkAccess(given, isIt));
  const claims = await step('token', all(options, isServerUser, access), ([given, isIt, { namespace }]) =>
    checkToken(given, isIt, namespace, context),
  );

  const endpoint = options === undefined ? undefined : endpointOf(options);
  const addresses = await step('name', endpoint, (to) => checkName(to, clock));
  const answers = await step('tcp', all(endpoint, addresses), ([to, found]) => checkTcp(to, found, context));
  const secure = await step('tls', all(endpoint, options, access, answers), ([to, given, trusted]) =>
    checkTls(to, given, trusted, clock),
  );

  let client: Client | undefined;
  try {
    if (options !== undefined && access !== undefined && secure !== undefined && claims !== undefined) {
      client = connect(options, context, { access, timeoutMs: CALL_MS, atOnce: true });
    }
    const version = await step('version', all(client, claims, options), ([api, whose, given]) =>
      checkVersion(api, whose, given, clock),
    );
    const api = version === undefined ? undefined : client;
    await step('clock', api, (from) => checkClock(from, clock));
    const reviewed = await step('access', all(api, options), async ([from, given]) => ({
      findings: [],
      value: await reviewRules(from, given),
    }));
    const namespace = await step('namespace', all(api, reviewed, claims, options), ([from, known, whose, given]) =>
      checkNamespace(from, known, whose, given, random),
    );
    const account = claims?.subject ?? 'the account';
    // Without any permission the namespace is the wrong one, or rbac was not applied: the step above says so once.
    const isEmpty = namespace === undefined && reviewed !== undefined && hasNothing(reviewed);
    const permitted = isEmpty ? undefined : api;
    await step('permissions', all(permitted, reviewed), ([, known]) => checkPermissions(known, account));
    const grant = options === undefined ? '' : grantCommand(claims ?? {}, options);
    const nodes = await step('nodes', api, (from) => checkNodes(from, grant));
    await step('metrics', permitted, checkMetrics);
    await step('constraints', all(files, nodes), ([of, known]) => checkConstraints(of, known));
    await step('launchers', permitted, checkInstances);
    await step('accounts', all(reviewed, access), ([known, { namespace }]) => checkAccounts(known, namespace, grant));

    const strong = reviewed !== undefined && sharedRole(reviewed)?.role === 'cluster-admin';
    const name = args.flags.get('user');
    const policy =
      files === undefined || options === undefined || access === undefined || claims === undefined
        ? undefined
        : policyOf(files, options, access.namespace, context);
    const asked = api === undefined || version === undefined ? undefined : { client: api, minor: version.minor };
    const overrides = files === undefined ? [] : writtenOverrides(files);
    const hasSections = (files?.profiles.sections.length ?? 0) > 0;
    if (hasSections || isTemplating) {
      await step('named-objects', all(files, asked, options), async ([of, to, given]) => {
        const trial = { options: given, context, api: to };
        const rendered = isTemplating && usable !== undefined ? await renderedSample(of, trial) : undefined;
        return checkNamedObjects(of, to.client, rendered);
      });
    }
    // Without an API server the templates alone are tried; where it refuses the namespace, it refuses every job.
    const allowed = asked !== undefined && namespace === undefined ? undefined : usable;
    const isMade = isTemplating
      ? await step('template-jobs', all(files, allowed), ([of, given]) =>
          checkTemplateJobs(of, { options: given, context, api: asked }),
        )
      : true;
    /** The options, if a job can be made with the templates: the same mistake is not reported for each section and user. */
    const forJobs = isMade === undefined ? undefined : usable;
    if (hasSections) {
      await step('sections', all(files, forJobs, asked, namespace), ([of, given, to]) =>
        checkSections(of, { options: given, context, api: to }),
      );
    }
    if (overrides.length > 0) {
      await step('overrides', all(files, forJobs), ([of, given]) =>
        checkOverrideLists(overrides, of, { options: given, context, api: asked }),
      );
    }
    if (name === undefined) {
      await step('root-on-node', files, ({ profiles }) =>
        only(rootOnNode('a user without a section', effectiveProfile(profiles, NOBODY), strong)),
      );
    } else {
      await checkOneUser(step, { name, files, policy, options: forJobs, nodes, asked, strong }, context);
    }
    if (withJob) {
      const image = args.flags.get('image');
      await step('test-job', all(asked, files, policy, forJobs), ([to, of, rules, given]) =>
        runTestJob({ ...to, files: of, policy: rules, options: given, user: name ?? given.serverUser, image }, context),
      );
    }
  } finally {
    await client?.close();
  }
  return report.finish();
}

type Step = CheckReport['step'];

/** Results of earlier steps; undefined where a step failed. */
interface Found {
  readonly name: string;
  readonly files: PolicyFiles | undefined;
  readonly policy: Policy | undefined;
  /** Undefined if no job can be made with them. */
  readonly options: Options | undefined;
  readonly nodes: KnownNodes | undefined;
  /** The API server, if it responds. */
  readonly asked: { readonly client: Client; readonly minor: number } | undefined;
  /** Every account of the namespace is an administrator. */
  readonly strong: boolean;
}

/** The steps of `--user`. */
async function checkOneUser(step: Step, found: Found, context: CommandContext): Promise<void> {
  const { name, files, policy, options, nodes, asked, strong } = found;
  const person = await step('user', files, (of) => checkUser(of, name, context));
  await step('images', person, checkImages);
  await step('user-labels', all(person, nodes), ([who, known]) => checkUserConstraints(who, known));
  await step('resources', all(person, files, policy), ([who, of, rules]) =>
    checkResourceProfiles(who, of, rules, context),
  );
  await step('user-job', all(person, files, policy, options), ([who, of, rules, given]) =>
    checkUserJob(who, of, rules, { options: given, context, api: asked }),
  );
  await step('root-on-node', person, ({ profile }) => only(rootOnNode(name, profile, strong)));
}

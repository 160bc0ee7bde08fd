/** `rbac`: the least that lets the plugin work, bound to its account alone (kubernetes-objects.md section 6). */
import type { Namespace, Secret, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from 'kubernetes-types/rbac/v1.d.ts';
import { readClusterAccess } from '../config/options/cluster.ts';
import type { Options } from '../config/options/options.ts';
import { OBJECT_NAME } from '../config/text/kinds.ts';
import { ConfigError } from '../config/text/problem.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { type CommandContext, ignoredOptions, readOptions } from './command-session.ts';
import { neededRules, policyRules } from './rbac-rules.ts';
import type { Terminal } from './terminal.ts';
import { toYaml } from './yaml.ts';

export const rbac: Command = {
  name: 'rbac',
  summary: 'Prints a manifest with the permissions and the token that the plugin needs, for kubectl apply -f -.',
  about:
    'Prints YAML: the namespace of the jobs, a service account for the plugin, a Secret with a token that does not expire, and the permissions that the plugin needs with the current options, no others. These are a Role in the namespace and a ClusterRole for nodes, bound to this account alone. The comment above the Secret has the command that reads the token. The command does not connect to the cluster, and works before api-url and the token are set.',
  words: [],
  flags: [
    { name: 'account', value: 'NAME', doc: 'Name of the service account and of its roles; default: job-launcher.' },
  ],
  examples: [
    ['rstudio-kubernetes-launcher rbac | kubectl apply -f -', 'Once, as a user who may grant permissions.'],
    [
      'rstudio-kubernetes-launcher rbac | kubectl diff -f -',
      'Does the cluster have the permissions that this version needs?',
    ],
    ['rstudio-kubernetes-launcher rbac --plugin-name=gpu', 'For the namespace that launcher.gpu.conf names.'],
  ],
  run: runRbac,
};

async function runRbac(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const options = await optionsBeforeToken(args.options, context);
  context.dropPrivileges(options.serverUser);
  // The output goes to kubectl: permissions must not be granted in another namespace than the one that was typed.
  const [vain] = ignoredOptions(args.options, options);
  if (vain !== undefined) throw new UsageError(`rbac: --${vain.option} ${vain.message}`);
  const { namespace } = readClusterAccess({ ...options, certificateAuthorityPath: undefined });
  const documents = manifest(options, namespace, readAccount(args, namespace));
  terminal.write(documents.map(({ comment, object }) => `# ${comment}\n${toYaml(object)}`).join('---\n'));
  return EXIT_OK;
}

/** The name of the account. The names of the other objects are longer, and must be valid too. */
function readAccount({ flags }: Arguments, namespace: string): string {
  const account = flags.get('account') ?? 'job-launcher';
  const names = [account, nodesRole(namespace, account)];
  if (names.every((name) => OBJECT_NAME.parse(name).ok)) return account;
  throw new UsageError(`rbac: --account: ${JSON.stringify(account)} must be ${OBJECT_NAME.allowed}; see rbac --help`);
}

/** Two launchers of one cluster have two namespaces, but there is one name for a ClusterRole. */
const nodesRole = (namespace: string, account: string): string => `${namespace}-${account}-nodes`;

/** The current options; if only API address and token are missing, placeholders replace them. */
async function optionsBeforeToken(argv: readonly string[], context: CommandContext): Promise<Options> {
  const loaded = await readOptions(argv, context);
  if (loaded.ok) return loaded.options;
  const later = ['--api-url=https://kubernetes.invalid', '--auth-token-path=/later'];
  const missing = later.filter((option) => !argv.some((given) => given.startsWith(option.replace(/=.*/, '='))));
  const filled = await readOptions([...argv, ...missing], context);
  if (!filled.ok) throw new ConfigError('invalid', loaded.problems);
  return filled.options;
}

type Document = Namespace | ServiceAccount | Secret | Role | RoleBinding | ClusterRole | ClusterRoleBinding;

/** The objects in the order in which they are made, each with what it is for. */
function manifest(
  options: Pick<Options, 'killMethod'>,
  namespace: string,
  account: string,
): readonly { readonly comment: string; readonly object: Document }[] {
  const needed = neededRules(options);
  const metadata = { name: account, namespace };
  const apiGroup = 'rbac.authorization.k8s.io';
  const apiVersion = `${apiGroup}/v1`;
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace }];
  const clusterName = nodesRole(namespace, account);
  return [
    {
      comment: 'The namespace of the jobs.',
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    },
    { comment: 'The service account of the plugin.', object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata } },
    {
      comment: `Its token, which does not expire: kubectl -n ${namespace} get secret ${account}-token -o jsonpath='{.data.token}' | base64 -d`,
      object: {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/service-account-token',
        metadata: {
          name: `${account}-token`,
          namespace,
          annotations: { 'kubernetes.io/service-account.name': account },
        },
      },
    },
    {
      comment: 'The permissions of the plugin in the namespace.',
      object: {
        apiVersion,
        kind: 'Role',
        metadata,
        rules: policyRules(needed.filter(({ clusterWide }) => !clusterWide)),
      },
    },
    {
      comment:
        'Bound to the account alone: a binding to system:serviceaccounts would grant these permissions to every job.',
      object: {
        apiVersion,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup, kind: 'Role', name: account },
        subjects,
      },
    },
    {
      comment: 'Optional, with its binding: addresses, labels and readiness of nodes.',
      object: {
        apiVersion,
        kind: 'ClusterRole',
        metadata: { name: clusterName },
        rules: policyRules(needed.filter(({ clusterWide }) => clusterWide)),
      },
    },
    {
      comment: 'Grants the ClusterRole to the same account.',
      object: {
        apiVersion,
        kind: 'ClusterRoleBinding',
        metadata: { name: clusterName },
        roleRef: { apiGroup, kind: 'ClusterRole', name: clusterName },
        subjects,
      },
    },
  ];
}

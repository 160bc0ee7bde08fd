import t from 'tap';
import { LauncherError } from '../support/launcher.ts';
import { api } from './api.ts';
import { setUp } from './harness.ts';

/** RBAC rules as a Role holds them. */
interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The smallest set of permissions (kubernetes-objects.md section 6). */
const SMALLEST: readonly Rule[] = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
  { apiGroups: [''], resources: ['pods/exec', 'pods/attach'], verbs: ['get', 'create'] },
  { apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch', 'create', 'delete'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create', 'delete'] },
  { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['list'] },
];

const world = await setUp(t);
const { cluster, user } = world;

/**
 * A token with exactly these rights: an account, role and binding of our own, removed at the end. Undefined, with the
 * server's words, where the cluster does not let us make them.
 */
async function tokenWith(t: Tap.Test, name: string, rules: readonly Rule[]): Promise<string | { refused: string }> {
  const full = `${user}-${name}`;
  const rbac = 'rbac.authorization.k8s.io/v1';
  const made: [string, string][] = [];
  t.teardown(async () => {
    for (const [group, path] of made.reverse()) await cluster.namespaced('DELETE', group, path);
  });
  const make = async (group: string, plural: string, body: Record<string, unknown>) => {
    const answer = await cluster.namespaced('POST', group, plural, { metadata: { name: full }, ...body });
    if (answer.status === 201) made.push([group, `${plural}/${full}`]);
    return answer;
  };
  const steps = [
    await make('', 'serviceaccounts', {}),
    await make(rbac, 'roles', { rules }),
    await make(rbac, 'rolebindings', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: full },
      subjects: [{ kind: 'ServiceAccount', name: full, namespace: cluster.namespace }],
    }),
  ];
  const refused = steps.find(({ status }) => status !== 201);
  if (refused !== undefined) return { refused: `${refused.status} ${String(refused.body['message'] ?? '')}` };
  const token = await cluster.namespaced('POST', '', `serviceaccounts/${full}/token`, { spec: {} });
  const text = (token.body['status'] as { token?: string } | undefined)?.token;
  return text ?? { refused: `${token.status} ${String(token.body['message'] ?? '')}` };
}

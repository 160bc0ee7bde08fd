/**
 * Role-based access control by a list of rules that a test can narrow.
 */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { User } from '../accounts.ts';
import type { Target } from './request.ts';
import { ApiError, qualified } from './status.ts';

export interface Rule {
  /** Full user name, e.g. `system:serviceaccount:rstudio:job-launcher`, or a group. */
  readonly subject: string;
  /** Where it holds; '*' is everywhere, the cluster scope included. */
  readonly namespace: string;
  readonly verbs: readonly string[];
  readonly groups: readonly string[];
  /** `pods`, `pods/log`, or '*'. */
  readonly resources: readonly string[];
  /** What SelfSubjectAccessReview gives as the reason. */
  readonly binding?: string;
}

/** What somebody wants to do. */
interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** '' for the cluster scope. */
  readonly namespace: string;
}

export interface Access {
  readonly rules: () => readonly Rule[];
  readonly setRules: (rules: readonly Rule[]) => void;
  /** The rule that allows it; undefined if none does. */
  readonly allowing: (user: User, attributes: Attributes) => Rule | undefined;
}

/** What the first-party documentation grants: all in the namespace, reading nodes, asking for one's own rights. */
export function documentedRules(namespace: string): Rule[] {
  const everyone = `system:serviceaccounts:${namespace}`;
  return [
    {
      subject: everyone,
      namespace,
      verbs: ['*'],
      groups: ['*'],
      resources: ['*'],
      binding: `RBAC: allowed by RoleBinding "job-launcher-admin/${namespace}" of ClusterRole "cluster-admin" to Group "${everyone}"`,
    },
    {
      subject: everyone,
      namespace: '*',
      verbs: ['get', 'watch', 'list'],
      groups: [''],
      resources: ['nodes'],
      binding: `RBAC: allowed by ClusterRoleBinding "job-launcher-list-clusters" of ClusterRole "job-launcher-clusters" to Group "${everyone}"`,
    },
  ];
}

/** What the chart of Workbench grants the account of its pod; no Secrets, no nodes. */
export function chartRules(namespace: string): Rule[] {
  const changes = ['get', 'create', 'update', 'patch', 'watch', 'list', 'delete'];
  return rulesOf(namespace, [
    ['batch', ['jobs'], changes],
    ['', ['pods', 'pods/attach', 'pods/exec'], changes],
    ['', ['pods/log'], ['get']],
    ['', ['events'], ['watch']],
    ['', ['services'], ['create', 'get', 'watch', 'list', 'delete']],
    ['metrics.k8s.io', ['pods'], ['get']],
  ]);
}

/**
 * What `rbac` prints and the README applies (fixtures/config/rbac.yaml), bound to the account of the launcher alone. Reading
 * nodes is the last.
 */
export function smallestRules(namespace: string): Rule[] {
  const documents = parseAllDocuments(readFileSync(PRINTED, 'utf8')).map((document) => document.toJS() as PrintedRole);
  return rulesOf(
    namespace,
    documents.flatMap(({ rules = [] }) =>
      rules.flatMap(({ apiGroups, resources, verbs }) => apiGroups.map((group): Need => [group, resources, verbs])),
    ),
  );
}

const PRINTED = new URL('../../../fixtures/config/rbac.yaml', import.meta.url);

/** A Role or ClusterRole; other objects have no rules. */
interface PrintedRole {
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

type Need = readonly [group: string, resources: readonly string[], verbs: readonly string[]];

/** Bound to the account of the launcher. */
function rulesOf(namespace: string, needs: readonly Need[]): Rule[] {
  const account = 'job-launcher';
  return needs.map(([group, resources, verbs]) => ({
    subject: `system:serviceaccount:${namespace}:${account}`,
    namespace: resources[0] === 'nodes' ? '*' : namespace,
    verbs,
    groups: [group],
    resources,
    binding: `RBAC: allowed by RoleBinding "${account}/${namespace}" of Role "${account}" to ServiceAccount "${account}/${namespace}"`,
  }));
}

/** Everybody who is authenticated may do this; no test takes it away. */
const BASIC: readonly Rule[] = [
  {
    subject: 'system:authenticated',
    namespace: '*',
    verbs: ['create'],
    groups: ['authorization.k8s.io', 'authentication.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'],
  },
  { subject: 'system:masters', namespace: '*', verbs: ['*'], groups: ['*'], resources: ['*'] },
];

export function createAccess(initial: readonly Rule[]): Access {
  let rules = initial;
  return {
    rules: () => rules,
    setRules: (next) => {
      rules = next;
    },
    allowing: (user, attributes) => [...BASIC, ...rules].find((rule) => allows(rule, user, attributes)),
  };
}

function allows(rule: Rule, user: User, { verb, group, resource, subresource, namespace }: Attributes): boolean {
  const has = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value);
  return (
    (rule.subject === user.name || user.groups.includes(rule.subject)) &&
    (rule.namespace === '*' || rule.namespace === namespace) &&
    has(rule.verbs, verb) &&
    has(rule.groups, group) &&
    has(rule.resources, subresource === undefined ? resource : `${resource}/${subresource}`)
  );
}

/** The recorded 403 (kubernetes-facts.md 110). */
export function denied(user: User, attributes: Attributes): ApiError {
  const { verb, group, resource, subresource, name, namespace } = attributes;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const object = name === undefined ? qualified(resource, group) : `${qualified(resource, group)} "${name}"`;
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return new ApiError(
    403,
    'Forbidden',
    `${object} is forbidden: User "${user.name}" cannot ${verb} resource "${what}" in API group "${group}" ${scope}`,
    { ...(name === undefined ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource },
    { headers: { 'X-Content-Type-Options': 'nosniff' } },
  );
}

export function deniedPath(user: User, verb: string, path: string): ApiError {
  return new ApiError(
    403,
    'Forbidden',
    `forbidden: User "${user.name}" cannot ${verb} path "${path}"`,
    {},
    {
      headers: { 'X-Content-Type-Options': 'nosniff' },
    },
  );
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** What a request for stored objects must be allowed. */
export function attributesOf(
  method: string,
  { resource, namespace, name, subresource }: Target,
  query: URLSearchParams,
): Attributes {
  const watching = query.get('watch') === 'true' || query.get('watch') === '1';
  const reading = name !== undefined ? 'get' : watching ? 'watch' : 'list';
  const verb = method === 'DELETE' && name === undefined ? 'deletecollection' : (VERBS[method] ?? reading);
  return {
    verb,
    group: resource.group,
    resource: resource.plural,
    namespace,
    ...(subresource === undefined ? {} : { subresource }),
    ...(name === undefined ? {} : { name }),
  };
}

/** @throws ApiError 403 */
export function authorize(access: Access, user: User, attributes: Attributes): void {
  if (access.allowing(user, attributes) === undefined) throw denied(user, attributes);
}

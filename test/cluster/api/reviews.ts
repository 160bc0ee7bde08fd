/**
 * Questions about oneself: SelfSubjectAccessReview and its kin (kubernetes-facts.md 119).
 */
import type { User } from '../accounts.ts';
import type { Access } from './access.ts';
import { badRequest } from './status.ts';

interface ReviewBody {
  readonly spec?: {
    readonly namespace?: string;
    readonly resourceAttributes?: Readonly<Record<string, string>>;
    readonly nonResourceAttributes?: Readonly<Record<string, string>>;
  };
}

/** Undefined for a kind of review that is not served. */
export function review(plural: string, body: ReviewBody, user: User, access: Access): object | undefined {
  switch (plural) {
    case 'selfsubjectaccessreviews':
      return accessReview(body, user, access);
    case 'selfsubjectrulesreviews':
      return rulesReview(body, user, access);
    case 'selfsubjectreviews':
      return {
        kind: 'SelfSubjectReview',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { creationTimestamp: new Date().toISOString().replace(/\.\d+/, '') },
        status: {
          userInfo: { username: user.name, ...(user.uid === undefined ? {} : { uid: user.uid }), groups: user.groups },
        },
      };
    default:
      return undefined;
  }
}

function accessReview({ spec = {} }: ReviewBody, user: User, access: Access): object {
  const { verb = '', group = '', resource = '', subresource, namespace = '', name } = spec.resourceAttributes ?? {};
  const rule = access.allowing(user, {
    verb,
    group,
    resource,
    namespace,
    ...(subresource === undefined ? {} : { subresource }),
    ...(name === undefined ? {} : { name }),
  });
  const allowed = rule !== undefined;
  return {
    kind: 'SelfSubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec,
    status: { allowed, ...(rule?.binding === undefined ? {} : { reason: rule.binding }) },
  };
}

function rulesReview({ spec = {} }: ReviewBody, user: User, access: Access): object {
  const { namespace } = spec;
  if (namespace === undefined || namespace === '') throw badRequest('no namespace on request');
  const rules = access
    .rules()
    .filter(
      (rule) =>
        (rule.subject === user.name || user.groups.includes(rule.subject)) && ['*', namespace].includes(rule.namespace),
    )
    .map(({ verbs, groups, resources }) => ({ verbs, apiGroups: groups, resources }));
  return {
    kind: 'SelfSubjectRulesReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec: {},
    status: { resourceRules: rules, nonResourceRules: [], incomplete: false },
  };
}

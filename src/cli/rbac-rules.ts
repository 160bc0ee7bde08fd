/** The rules of Roles that the plugin needs: `rbac` prints them, `check` verifies them. */
import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import type { Options } from '../config/options/options.ts';
import { FEATURE_NAMES, FEATURES, type Feature } from '../jobs/permissions.ts';
import type { Permission } from '../kubernetes/contract.ts';

/** Verbs on one resource, and the effect of their absence. */
export interface NeededRule {
  readonly group: string;
  /** `pods`, `pods/log`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Without it the plugin does nothing at all. */
  readonly required: boolean;
  /** Of a ClusterRole, not of a Role in the namespace of the jobs. */
  readonly clusterWide: boolean;
  /** The effect of its absence, as a sentence. */
  readonly without: string;
}

const REQUIRED: readonly Feature[] = ['jobs', 'pods'];

/** Permissions that belong to no feature (kubernetes-objects.md section 6). */
const OTHERS: readonly NeededRule[] = [
  {
    group: '',
    resource: 'serviceaccounts',
    verbs: ['list'],
    required: false,
    clusterWide: false,
    without: 'the launcher cannot offer service accounts',
  },
  {
    group: '',
    resource: 'nodes',
    verbs: ['list'],
    required: false,
    clusterWide: true,
    without: 'check cannot verify the node labels of placement constraints',
  },
];

/** The rules needed with these options, in the order of their importance. */
export function neededRules({ killMethod }: Pick<Options, 'killMethod'>): readonly NeededRule[] {
  const features = FEATURE_NAMES.filter((feature) => feature !== 'exec' || killMethod !== 'delete');
  return [...features.flatMap(ofFeature), ...OTHERS];
}

function ofFeature(feature: Feature): readonly NeededRule[] {
  const { permissions, without }: { readonly permissions: readonly Permission[]; readonly without: string } =
    FEATURES[feature];
  const resources = [...new Set(permissions.map(resourceOf))];
  return resources.flatMap((resource) => {
    const same = permissions.filter((permission) => resourceOf(permission) === resource);
    return same.slice(0, 1).map(({ group, namespace }) => ({
      group,
      resource,
      verbs: same.map(({ verb }) => verb),
      required: REQUIRED.includes(feature),
      clusterWide: namespace === '',
      without,
    }));
  });
}

function resourceOf({ resource, subresource }: Permission): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** Rules of a Role, one for each resource. */
export function policyRules(needed: readonly NeededRule[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const { group, resource, verbs } of needed) {
    const key = `${group}/${resource}`;
    const known = rules.get(key)?.verbs ?? [];
    rules.set(key, { apiGroups: [group], resources: [resource], verbs: [...new Set([...known, ...verbs])] });
  }
  return [...rules.values()];
}

/** A rule on one line: `{apiGroups: [batch], resources: [jobs], verbs: [get]}`. */
export function ruleText({ group, resource }: NeededRule, verbs: readonly string[]): string {
  return `{apiGroups: [${group === '' ? '""' : group}], resources: [${resource}], verbs: [${verbs.join(', ')}]}`;
}

/** Every right that the plugin uses, as rules of Roles: what `rbac` grants and what `check` asks for. */
import type { Options } from '../config/options.ts';
import { FEATURE_NAMES, FEATURES, type Feature } from '../jobs/permissions.ts';
import type { Access } from '../kubernetes/contract.ts';

/** Verbs on one resource, and what is missing without them. */
export interface Permission {
  readonly group: string;
  /** `pods`, `pods/log`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Without it the plugin does nothing at all. */
  readonly required: boolean;
  /** In the whole cluster, not in the namespace of the jobs. */
  readonly clusterWide: boolean;
  /** What does not work without it. */
  readonly without: string;
}

const REQUIRED: readonly Feature[] = ['jobs', 'pods'];

/** Asked for where they are used, not by feature (kubernetes-objects.md section 6). */
const OTHERS: readonly Permission[] = [
  {
    group: '',
    resource: 'serviceaccounts',
    verbs: ['list'],
    required: false,
    clusterWide: false,
    without: 'service accounts are not offered in forms',
  },
  {
    group: '',
    resource: 'nodes',
    verbs: ['list', 'watch'],
    required: false,
    clusterWide: true,
    without: 'check cannot tell whether nodes have the labels of placement constraints',
  },
];

/** The rights needed with these options, in the order of their importance. */
export function permissions({ killMethod }: Pick<Options, 'killMethod'>): readonly Permission[] {
  const features = FEATURE_NAMES.filter((feature) => feature !== 'exec' || killMethod !== 'delete');
  return [...features.flatMap(ofFeature), ...OTHERS];
}

function ofFeature(feature: Feature): readonly Permission[] {
  const { needs, without }: { readonly needs: readonly Access[]; readonly without: string } = FEATURES[feature];
  const resources = [...new Set(needs.map(resourceOf))];
  return resources.flatMap((resource) => {
    const same = needs.filter((access) => resourceOf(access) === resource);
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

function resourceOf({ resource, subresource }: Access): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** A rule of a Role. */
interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The rules that grant these, one for each resource. */
export function rulesOf(granted: readonly Permission[]): readonly Rule[] {
  const rules = new Map<string, Rule>();
  for (const { group, resource, verbs } of granted) {
    const key = `${group}/${resource}`;
    const known = rules.get(key)?.verbs ?? [];
    rules.set(key, { apiGroups: [group], resources: [resource], verbs: [...new Set([...known, ...verbs])] });
  }
  return [...rules.values()];
}

/** A rule on one line: `{apiGroups: [batch], resources: [jobs], verbs: [get]}`. */
export function ruleText({ group, resource }: Permission, verbs: readonly string[]): string {
  return `{apiGroups: [${group === '' ? '""' : group}], resources: [${resource}], verbs: [${verbs.join(', ')}]}`;
}

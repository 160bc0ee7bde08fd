/** Every right that the plugin uses (kubernetes-objects.md section 6): what `rbac` grants and what `check` asks for. */
import type { Options } from '../config/options.ts';

/** One rule of a Role, and what is missing without it. */
export interface Permission {
  readonly group: string;
  /** `pods`, `pods/log`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Without it the plugin does nothing at all. */
  readonly required?: true;
  /** In the whole cluster, not in the namespace of the jobs. */
  readonly clusterWide?: true;
  /** What does not work without it. */
  readonly without: string;
}

type Heeded = Pick<Options, 'killMethod'>;

/** The rights needed with these options. */
export function permissions({ killMethod }: Heeded): readonly Permission[] {
  const exec: readonly Permission[] = [
    {
      group: '',
      resource: 'pods/exec',
      verbs: ['get', 'create'],
      without: 'kill deletes the pod, and its output with it (kill-method=delete does so always)',
    },
  ];
  return [
    {
      group: 'batch',
      resource: 'jobs',
      verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
      required: true,
      without: 'no job can be started or followed',
    },
    {
      group: '',
      resource: 'pods',
      verbs: ['get', 'list', 'watch', 'patch', 'delete'],
      required: true,
      without: 'no job can be followed, stopped or killed',
    },
    { group: '', resource: 'pods/log', verbs: ['get'], without: 'no output of jobs is shown' },
    ...(killMethod === 'delete' ? [] : exec),
    {
      group: '',
      resource: 'pods/attach',
      verbs: ['get', 'create'],
      without: 'jobs get no input (stdin)',
    },
    {
      group: '',
      resource: 'services',
      verbs: ['get', 'list', 'watch', 'create', 'delete'],
      without: 'sessions with ports, such as RStudio, cannot start',
    },
    {
      group: '',
      resource: 'secrets',
      verbs: ['get', 'create', 'delete'],
      without: 'the input of jobs is lost when the plugin restarts',
    },
    { group: '', resource: 'events', verbs: ['list', 'watch'], without: 'it is not shown why a job stays Pending' },
    {
      group: '',
      resource: 'serviceaccounts',
      verbs: ['list'],
      without: 'service accounts are not offered in forms',
    },
    {
      group: 'metrics.k8s.io',
      resource: 'pods',
      verbs: ['get', 'list'],
      without: 'the use of CPU and memory is not shown',
    },
    {
      group: '',
      resource: 'nodes',
      verbs: ['get', 'list', 'watch'],
      clusterWide: true,
      without: 'external addresses of nodes and nodes that do not answer are not known',
    },
  ];
}

/** A rule as it is written in a Role: `{apiGroups: [batch], resources: [jobs], verbs: [get]}`. */
export function ruleText({ group, resource }: Permission, verbs: readonly string[]): string {
  return `{apiGroups: [${group === '' ? '""' : group}], resources: [${resource}], verbs: [${verbs.join(', ')}]}`;
}

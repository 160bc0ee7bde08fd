/**
 * What the cluster allows us (kubernetes-objects.md section 6). A missing permission switches off one feature, with one
 * warning that names it. It is missing only when SelfSubjectAccessReview says so: a 403 has many other reasons.
 */
import type { Client, Permission } from '../kubernetes/contract.ts';
import { isForbidden } from '../kubernetes/kubernetes-error.ts';
import { Listeners, repeat } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

const METRICS = 'metrics.k8s.io';

const permit = (
  group: string,
  resource: string,
  verbs: string,
  more: Partial<Permission> = {},
): readonly Permission[] => verbs.split(' ').map((verb) => ({ verb, group, resource, ...more }));

/** What the plugin does in the cluster, the permissions that it takes, and what is not possible without them. */
export const FEATURES = {
  jobs: {
    permissions: permit('batch', 'jobs', 'get list watch create patch delete'),
    without: 'jobs can neither be followed nor submitted',
  },
  pods: { permissions: permit('', 'pods', 'get list watch'), without: 'the states of jobs are not known' },
  stop: { permissions: permit('', 'pods', 'patch'), without: 'jobs cannot be stopped' },
  delete: {
    permissions: permit('', 'pods', 'delete'),
    without: 'jobs whose container has no /bin/sh cannot be killed',
  },
  exec: {
    permissions: permit('', 'pods', 'get create', { subresource: 'exec' }),
    without: 'jobs are killed by deleting their pods, and with them their output',
  },
  output: {
    permissions: permit('', 'pods', 'get', { subresource: 'log' }),
    without: 'the output of jobs cannot be read',
  },
  input: {
    permissions: permit('', 'pods', 'get create', { subresource: 'attach' }),
    without: 'jobs cannot be given input (stdin)',
  },
  secrets: {
    permissions: permit('', 'secrets', 'get create delete'),
    without: 'the input (stdin) of jobs is kept in memory and lost when the plugin ends before it was delivered',
  },
  services: {
    permissions: permit('', 'services', 'get list watch create delete'),
    without: 'jobs with exposed ports cannot be submitted',
  },
  events: { permissions: permit('', 'events', 'list watch'), without: 'why jobs are pending is often not known' },
  usage: { permissions: permit(METRICS, 'pods', 'get list'), without: 'the resource use of jobs is not known' },
  nodes: {
    permissions: permit('', 'nodes', 'get', { namespace: '' }),
    without: 'jobs show the internal addresses of their nodes only',
  },
} as const satisfies Record<string, { readonly permissions: readonly Permission[]; readonly without: string }>;

export type Feature = keyof typeof FEATURES;

export const FEATURE_NAMES = Object.keys(FEATURES) as readonly Feature[];

export interface Permissions {
  /** false only if the cluster said so; true before it was asked. */
  readonly allows: (feature: Feature) => boolean;
  /** After an error of the feature's calls: asks again if it was a 403. Resolves with whether a permission is missing. */
  readonly isMissing: (feature: Feature, error: unknown) => Promise<boolean>;
  /** Resolves when they were asked for once, with or without an answer. */
  readonly asked: Promise<void>;
  /** Asks at once and every 5 minutes, for what is off every 30 s, until the signal ends; never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Called when a feature was switched on or off. Returns what ends it. */
  readonly onChange: (listener: () => void) => () => void;
}

/** A no may be wrong: a role that is being replaced, an authorizer that has just started. So it is asked for again soon. */
const EVERY_MS = 30_000;
/** Everything is asked for once in so many times. */
const ALL_EVERY = 10;

/** In the words of an administrator: `get pods/log`. */
const inWords = ({ verb, group, resource, subresource }: Permission): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;

/** The permissions that a feature lacks. Rejects if the cluster cannot be asked. */
async function missingPermissions(
  client: Client,
  feature: Feature,
  signal?: AbortSignal,
): Promise<readonly Permission[]> {
  const options = signal === undefined ? {} : { signal };
  const permissions: readonly Permission[] = FEATURES[feature].permissions;
  const reviews = await Promise.all(permissions.map((permission) => client.allowed(permission, options)));
  return permissions.filter((_, index) => reviews[index]?.allowed !== true);
}

export function createPermissions(client: Client, clock: Clock, log: Log): Permissions {
  const off = new Set<Feature>();
  const changes = new Listeners();
  const { promise: asked, resolve: wasAsked } = Promise.withResolvers<void>();

  async function ask(feature: Feature, signal?: AbortSignal): Promise<void> {
    const missing = await missingPermissions(client, feature, signal);
    if (missing.length > 0 === off.has(feature)) return;
    if (missing.length > 0) {
      off.add(feature);
      const names = missing.map(inWords).join(', ');
      log.notice(`A permission is missing: ${FEATURES[feature].without}`, { feature, missing: names }, 'WARNING');
    } else {
      off.delete(feature);
      log.notice('A permission that was missing is there now', { feature });
    }
    changes.notify();
  }

  return {
    allows: (feature) => !off.has(feature),
    isMissing: async (feature, error) => {
      if (!isForbidden(error)) return false;
      await ask(feature).catch((failure: unknown) =>
        log.info('The permissions cannot be asked for', { error: failure }),
      );
      return off.has(feature);
    },
    asked,
    run: async (signal) => {
      let time = 0;
      await repeat(clock, EVERY_MS, signal, async () => {
        const features = time++ % ALL_EVERY === 0 ? FEATURE_NAMES : [...off];
        try {
          await Promise.all(features.map((feature) => ask(feature, signal)));
        } catch (error) {
          if (!signal.aborted) log.info('The permissions cannot be asked for', { error });
        }
        wasAsked();
      });
    },
    onChange: (listener) => changes.add(listener),
  };
}

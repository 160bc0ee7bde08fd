/**
 * Permissions of the plugin's account (docs/kubernetes-objects.md section 6). A missing permission switches off one feature and
 * is logged once. Only a SelfSubjectAccessReview shows that a permission is missing: a 403 has many other reasons.
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

/** Features, the permissions that they need, and the effect of a missing one. */
export const FEATURES = {
  jobs: {
    permissions: permit('batch', 'jobs', 'get list watch create patch delete'),
    without: 'jobs can neither be followed nor submitted',
  },
  pods: { permissions: permit('', 'pods', 'get list watch'), without: 'the states of jobs are not known' },
  stop: { permissions: permit('', 'pods', 'patch'), without: 'jobs cannot be stopped' },
  delete: {
    permissions: permit('', 'pods', 'delete'),
    without: 'jobs without /bin/sh in their container cannot be killed',
  },
  exec: {
    permissions: permit('', 'pods', 'get create', { subresource: 'exec' }),
    without: 'a kill deletes the pod of a job, and with it the output',
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
    without: 'the input (stdin) of jobs is kept in memory and lost if the plugin stops before it is delivered',
  },
  services: {
    permissions: permit('', 'services', 'get list watch create'),
    without: 'jobs with exposed ports cannot be submitted',
  },
  serviceDeletion: {
    permissions: permit('', 'services', 'delete'),
    without: 'Services without an owner, of jobs of another launcher plugin, stay after their jobs',
  },
  events: { permissions: permit('', 'events', 'watch'), without: 'the reasons of Pending jobs are often unknown' },
  eventList: {
    permissions: permit('', 'events', 'list'),
    without:
      'events are watched without a list, which replays all of them after an expired watch, and a job that another client deletes in its first second may be Canceled although it ran',
  },
  usage: { permissions: permit(METRICS, 'pods', 'get'), without: 'the resource usage of jobs is unknown' },
  usageList: {
    permissions: permit(METRICS, 'pods', 'list'),
    without: 'the resource usage of each job takes a request of its own',
  },
  nodes: {
    permissions: permit('', 'nodes', 'get', { namespace: '' }),
    without: 'jobs report only the internal addresses of their nodes',
  },
} as const satisfies Record<string, { readonly permissions: readonly Permission[]; readonly without: string }>;

export type Feature = keyof typeof FEATURES;

/** Features that only save requests, or clean up for another plugin: their absence is no warning. */
const OPTIONAL: ReadonlySet<Feature> = new Set(['eventList', 'usageList', 'serviceDeletion']);

export const FEATURE_NAMES = Object.keys(FEATURES) as readonly Feature[];

export interface Permissions {
  /** False only if an access review denied it; true before the first review. */
  readonly allows: (feature: Feature) => boolean;
  /** Reviews the feature after a 403 of one of its calls. Resolves with true if a permission is missing. */
  readonly isMissing: (feature: Feature, error: unknown) => Promise<boolean>;
  /** Resolves after the first review of all features, even if it failed. */
  readonly reviewed: Promise<void>;
  /** Reviews all features now and every 5 minutes, disabled ones every 30 s, until the signal is aborted; never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Called when a feature was switched on or off. Returns what removes the listener. */
  readonly onChange: (listener: () => void) => () => void;
}

/** A denial may be temporary (a role being replaced, an authorizer that just started), so it is reviewed again soon. */
const EVERY_MS = 30_000;
/** All features are reviewed in each tenth round. */
const ALL_EVERY = 10;

/** `get pods/log`. */
const permissionText = ({ verb, group, resource, subresource }: Permission): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;

/** Permissions that a feature lacks. Rejects if the API server does not respond. */
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
  const { promise: reviewed, resolve: markReviewed } = Promise.withResolvers<void>();

  async function review(feature: Feature, signal?: AbortSignal): Promise<void> {
    const missing = await missingPermissions(client, feature, signal);
    if (missing.length > 0 === off.has(feature)) return;
    if (missing.length > 0) {
      off.add(feature);
      const names = missing.map(permissionText).join(', ');
      const level = OPTIONAL.has(feature) ? 'INFO' : 'WARNING';
      log.notice(`A permission is missing: ${FEATURES[feature].without}`, { feature, missing: names }, level);
    } else {
      off.delete(feature);
      log.notice('A permission that was missing is granted now; the feature is available again', { feature });
    }
    changes.notify();
  }

  return {
    allows: (feature) => !off.has(feature),
    isMissing: async (feature, error) => {
      if (!isForbidden(error)) return false;
      await review(feature).catch((failure: unknown) =>
        log.info('Cannot review the permissions of the plugin; keeping the last known ones', { error: failure }),
      );
      return off.has(feature);
    },
    reviewed,
    run: async (signal) => {
      let round = 0;
      await repeat(clock, EVERY_MS, signal, async () => {
        const features = round % ALL_EVERY === 0 ? FEATURE_NAMES : [...off];
        try {
          // One feature at a time: all at once, the reviews open 30 connections at the start and delay the lists.
          for (const feature of features) await review(feature, signal);
          round++;
        } catch (error) {
          round = 0;
          if (!signal.aborted)
            log.info('Cannot review the permissions of the plugin; keeping the last known ones', { error });
        }
        markReviewed();
      });
    },
    onChange: (listener) => changes.add(listener),
  };
}

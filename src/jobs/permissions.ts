/**
 * What the cluster allows us (kubernetes-objects.md section 6). Each missing right switches off one feature, with one
 * warning that names it. A right is missing only when SelfSubjectAccessReview says so: a 403 has many other reasons.
 */
import type { Access, Client } from '../kubernetes/contract.ts';
import { isForbidden } from '../kubernetes/errors.ts';
import { type Clock, sleep } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

const METRICS = 'metrics.k8s.io';

const rights = (group: string, resource: string, verbs: string, more: Partial<Access> = {}): readonly Access[] =>
  verbs.split(' ').map((verb) => ({ verb, group, resource, ...more }));

/** Every right that is used, by what it is used for, and what is not possible without it. */
export const FEATURES = {
  jobs: {
    needs: rights('batch', 'jobs', 'get list watch create patch delete'),
    without: 'jobs can neither be followed nor submitted',
  },
  pods: { needs: rights('', 'pods', 'get list watch'), without: 'the states of jobs are not known' },
  stop: { needs: rights('', 'pods', 'patch'), without: 'jobs cannot be stopped' },
  delete: { needs: rights('', 'pods', 'delete'), without: 'jobs whose container has no /bin/sh cannot be killed' },
  exec: {
    needs: rights('', 'pods', 'get create', { subresource: 'exec' }),
    without: 'jobs are killed by deleting their pods, and with them their output',
  },
  output: { needs: rights('', 'pods', 'get', { subresource: 'log' }), without: 'the output of jobs cannot be read' },
  input: {
    needs: rights('', 'pods', 'get create', { subresource: 'attach' }),
    without: 'jobs cannot be given input (stdin)',
  },
  secrets: {
    needs: rights('', 'secrets', 'get create delete'),
    without: 'the input (stdin) of jobs is kept in memory and lost when the plugin ends before it was delivered',
  },
  services: {
    needs: rights('', 'services', 'get list watch create delete'),
    without: 'jobs with exposed ports cannot be submitted',
  },
  events: { needs: rights('', 'events', 'list watch'), without: 'why jobs are pending is often not known' },
  usage: { needs: rights(METRICS, 'pods', 'get list'), without: 'the resource use of jobs is not known' },
  nodes: {
    needs: rights('', 'nodes', 'get', { namespace: '' }),
    without: 'jobs show the internal addresses of their nodes only',
  },
} as const satisfies Record<string, { readonly needs: readonly Access[]; readonly without: string }>;

export type Feature = keyof typeof FEATURES;

export const FEATURE_NAMES = Object.keys(FEATURES) as readonly Feature[];

export interface Permissions {
  /** false only if the cluster said so; true before it was asked. */
  readonly allows: (feature: Feature) => boolean;
  /** After an error of the feature's calls: asks again if it was a 403. Resolves with whether the right is missing. */
  readonly isMissing: (feature: Feature, error: unknown) => Promise<boolean>;
  /** Resolves when they were asked for once, with or without an answer. */
  readonly asked: Promise<void>;
  /** Asks at once and every 5 minutes until the signal ends; never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Called when a feature was switched on or off. Returns what ends it. */
  readonly onChange: (listener: () => void) => () => void;
}

const EVERY_MS = 5 * 60_000;

/** In the words of an administrator: `get pods/log`. */
const rightInWords = ({ verb, group, resource, subresource }: Access): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;

/** The rights that a feature lacks. Rejects if the cluster cannot be asked. */
async function missingRights(client: Client, feature: Feature, signal?: AbortSignal): Promise<readonly Access[]> {
  const options = signal === undefined ? {} : { signal };
  const needs: readonly Access[] = FEATURES[feature].needs;
  const allowed = await Promise.all(needs.map((access) => client.allowed(access, options)));
  return needs.filter((_, index) => allowed[index] !== true);
}

export function createPermissions(client: Client, clock: Clock, log: Log): Permissions {
  const off = new Set<Feature>();
  const listeners = new Set<() => void>();
  const { promise: asked, resolve: wasAsked } = Promise.withResolvers<void>();

  async function ask(feature: Feature, signal?: AbortSignal): Promise<void> {
    const missing = await missingRights(client, feature, signal);
    if (missing.length > 0 === off.has(feature)) return;
    if (missing.length > 0) {
      off.add(feature);
      const right = missing.map(rightInWords).join(', ');
      log.notice(`A permission is missing: ${FEATURES[feature].without}`, { feature, missing: right }, 'WARNING');
    } else {
      off.delete(feature);
      log.notice('A permission that was missing is there now', { feature });
    }
    for (const listener of listeners) listener();
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
      while (!signal.aborted) {
        try {
          await Promise.all(FEATURE_NAMES.map((feature) => ask(feature, signal)));
        } catch (error) {
          if (!signal.aborted) log.info('The permissions cannot be asked for', { error });
        }
        wasAsked();
        await sleep(clock, EVERY_MS, signal).catch(() => {});
      }
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

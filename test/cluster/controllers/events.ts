/**
 * How controllers, scheduler and kubelets write events (kubernetes-facts.md 20 to 22): a repeated one is counted, not written anew.
 */
import { EVENTS } from '../api/resources.ts';
import type { Draft, Store } from '../api/store.ts';
import { type ClusterEvent, microTime, type StoredObject, timestamp } from '../model.ts';

interface EventSource {
  readonly component: string;
  /** The node, for a kubelet. */
  readonly host?: string;
}

interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{name}`. */
  readonly fieldPath?: string;
}

export interface EventRecorder {
  /** The form of kubelets and controllers: count, first and last time. */
  readonly record: (source: EventSource, about: StoredObject, text: EventText) => void;
  /** The form of the scheduler: eventTime, action, no count; each one is a new object. */
  readonly recordNew: (component: string, action: string, about: StoredObject, text: EventText) => void;
}

export function createEventRecorder(store: Store): EventRecorder {
  const known = new Map<string, ClusterEvent>();
  let serial = BigInt(Math.floor(store.now())) * 1_000_000n;

  function draft(about: StoredObject, text: EventText): Draft<ClusterEvent> {
    serial += 1_000_003n;
    const { name, uid, resourceVersion, namespace = 'default' } = about.metadata;
    return {
      metadata: { name: `${name}.${serial.toString(16)}`, namespace },
      involvedObject: {
        kind: about.kind,
        ...(about.metadata.namespace === undefined ? {} : { namespace }),
        name,
        uid,
        apiVersion: about.apiVersion,
        resourceVersion,
        ...(text.fieldPath === undefined ? {} : { fieldPath: text.fieldPath }),
      },
      reason: text.reason,
      message: text.message,
      source: {},
      firstTimestamp: null,
      lastTimestamp: null,
      type: text.type,
      eventTime: null,
      reportingComponent: '',
      reportingInstance: '',
    };
  }

  return {
    record: (source, about, text) => {
      const now = timestamp(store.now());
      const key = [about.metadata.uid, text.fieldPath, text.reason, text.message, source.component].join('\n');
      const before = known.get(key);
      const counted =
        before === undefined
          ? undefined
          : store.edit(EVENTS, before, (event) => {
              event.count = (event.count ?? 1) + 1;
              event.lastTimestamp = now;
            });
      const event =
        counted ??
        store.create(EVENTS, {
          ...draft(about, text),
          source,
          firstTimestamp: now,
          lastTimestamp: now,
          count: 1,
          reportingComponent: source.component,
          reportingInstance: source.host ?? '',
        });
      known.set(key, event);
    },
    recordNew: (component, action, about, text) => {
      store.create(EVENTS, {
        ...draft(about, text),
        eventTime: microTime(store.now()),
        action,
        reportingComponent: component,
        reportingInstance: `${component}-simulated`,
      });
    },
  };
}

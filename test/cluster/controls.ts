/**
 * What a test, or a person, does to the cluster itself: restarts, losses, other people's webhooks.
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { Accounts } from './accounts.ts';
import type { Admission } from './api/admission.ts';
import { NAMESPACES, NODES, PODS } from './api/resources.ts';
import type { ApiServer } from './api/server.ts';
import { forbidden } from './api/status.ts';
import type { Draft, Store } from './api/store.ts';
import type { NodeController } from './controllers/nodes.ts';
import type { Kubelet } from './kubelet/kubelet.ts';
import { type Pod, timestamp } from './model.ts';
import type { ClusterClock } from './timers.ts';

interface RestartOptions {
  /** `cut`: connections break in the middle (SIGKILL); `clean`: watches end, then it goes (SIGTERM). Default cut. */
  readonly how?: 'cut' | 'clean';
  /** Lost: watches and lists from older versions get 410 (kubernetes-facts.md 100). Default lost. */
  readonly history?: 'kept' | 'lost';
  /** The counter of versions goes back by this much, as after a restored etcd. */
  readonly versionsBack?: number;
  /** Milliseconds without a server. */
  readonly downMs?: number;
}

export interface Controls {
  /** Connections are refused from now on. `lingerMs`: what is open stays open so long before it ends (kubernetes-facts.md 108). */
  readonly stopApi: (how?: 'cut' | 'clean', lingerMs?: number) => Promise<void>;
  /** Listens again, on the same port. Default kept. */
  readonly startApi: (history?: 'kept' | 'lost') => Promise<void>;
  readonly restartApi: (options?: RestartOptions) => Promise<void>;
  /** Forgets the history: older versions are 410 now. */
  readonly compact: () => void;
  /** Ends all watches cleanly, as a server does with slow readers (kubernetes-facts.md 107). */
  readonly endWatches: () => void;
  readonly killKubelet: (node?: string) => void;
  readonly startKubelet: (node?: string) => void;
  /** The machine goes down with all that runs on it; `startKubelet` when it is back. */
  readonly cutNode: (node?: string) => void;
  /** The machine and its node object are gone; pods on it follow. */
  readonly removeNode: (node: string) => Promise<void>;
  /** Whatever leads from the API server to the nodes is away: log and exec are 500. */
  readonly setAgent: (state: 'available' | 'away') => void;
  /** The kubelet evicts a pod for lack of memory. */
  readonly evictPod: (name: string) => void;
  /** A new token for the launcher; the old one is worth nothing any more. */
  readonly rotateToken: () => string;
  /** Every new pod gets this container, first in its list (a service mesh's webhook). */
  readonly injectSidecar: (container: Container) => void;
  /** A webhook that refuses new objects of a kind (plural name). Returns what takes it away. */
  readonly denyNew: (plural: string, why: string) => () => void;
  readonly terminateNamespace: (name: string) => void;
}

interface ControlParts {
  readonly clock: ClusterClock;
  readonly store: Store;
  readonly accounts: Accounts;
  readonly admission: Admission;
  readonly server: ApiServer;
  readonly kubelets: Map<string, Kubelet>;
  readonly nodeController: NodeController;
  readonly namespace: string;
  readonly account: string;
  readonly setAgent: (state: 'available' | 'away') => void;
  readonly currentToken: () => string;
  readonly setToken: (token: string) => void;
}

export function createControls(parts: ControlParts): Controls {
  const { store, server, kubelets, admission, namespace } = parts;

  function kubelet(name: string | undefined): Kubelet {
    const found = name === undefined ? [...kubelets.values()][0] : kubelets.get(name);
    if (found === undefined) throw new Error(`no such node: ${name}`);
    return found;
  }

  function addPlugin(plugin: Admission['plugins'][number]): () => void {
    admission.plugins.push(plugin);
    return () => admission.plugins.splice(admission.plugins.indexOf(plugin), 1);
  }

  const controls: Controls = {
    stopApi: (how = 'cut', lingerMs = 0) => server.stop(how, lingerMs),
    startApi: (history = 'kept') => {
      if (history === 'lost') store.forget();
      return server.listen(server.port());
    },
    restartApi: async ({ how = 'cut', history = 'lost', versionsBack = 0, downMs = 0 } = {}) => {
      await server.stop(how);
      if (downMs > 0) await new Promise<void>((resolve) => parts.clock.after(downMs, resolve));
      if (versionsBack > 0) store.setRevision(store.revision() - versionsBack);
      await controls.startApi(history);
    },
    compact: () => store.forget(),
    endWatches: () => {
      for (const watch of server.watches()) watch.end();
    },
    killKubelet: (node) => {
      kubelet(node).kill();
      parts.nodeController.kubeletDown(kubelet(node).nodeName);
    },
    cutNode: (node) => {
      kubelet(node).cut();
      parts.nodeController.kubeletDown(kubelet(node).nodeName);
    },
    startKubelet: (node) => {
      parts.nodeController.kubeletUp(kubelet(node).nodeName);
      kubelet(node).start();
    },
    removeNode: async (name) => {
      const gone = kubelet(name);
      const node = store.get(NODES, '', name);
      if (node !== undefined) store.remove(NODES, node);
      await gone.destroy();
      kubelets.delete(name);
      parts.nodeController.nodeGone(name);
    },
    setAgent: parts.setAgent,
    evictPod: (name) => {
      const pod = store.get(PODS, namespace, name);
      const worker = pod === undefined ? undefined : kubelets.get(pod.spec.nodeName ?? '')?.worker(pod.metadata.uid);
      if (worker === undefined) throw new Error(`no such running pod: ${name}`);
      worker.end({ type: 'evicted', message: 'The node was low on resource: memory.' });
    },
    rotateToken: () => {
      parts.accounts.revoke(parts.currentToken());
      const token = parts.accounts.issue(namespace, parts.account);
      parts.setToken(token);
      return token;
    },
    injectSidecar: (container) => {
      addPlugin((resource, object) => {
        if (resource.plural !== PODS.plural) return;
        const pod = object as Draft<Pod>;
        pod.spec = { ...pod.spec, containers: [container, ...pod.spec.containers] };
      });
    },
    denyNew: (plural, why) =>
      addPlugin((resource, object) => {
        if (resource.plural !== plural) return;
        throw forbidden(resource, object.metadata.name ?? '', why);
      }),
    terminateNamespace: (name) => {
      const found = store.get(NAMESPACES, '', name);
      if (found === undefined) throw new Error(`no such namespace: ${name}`);
      store.edit(NAMESPACES, found, ({ metadata }) => {
        metadata.deletionTimestamp = timestamp(store.now());
        metadata.finalizers = ['kubernetes'];
      });
    },
  };
  return controls;
}

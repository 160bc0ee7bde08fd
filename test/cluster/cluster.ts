/**
 * A Kubernetes cluster in this process: API server, controllers, scheduler and the kubelets of a few nodes, whose
 * containers are real processes of this machine. README.md tells how a job flows through it.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Accounts, createAccounts } from './accounts.ts';
import { type Access, createAccess, documentedRules, type Rule } from './api/access.ts';
import { createAdmission } from './api/admission.ts';
import { createEviction } from './api/eviction.ts';
import { createMetrics } from './api/metrics.ts';
import { NAMESPACES, NODES, SERVICE_ACCOUNTS } from './api/resources.ts';
import { type ApiServer, createApiServer } from './api/server.ts';
import { createStore, type Store } from './api/store.ts';
import { createValidation } from './api/validation.ts';
import { createWriter } from './api/write.ts';
import { createIdentity } from './authority.ts';
import { createEventRecorder } from './controllers/events.ts';
import { startGarbageCollector } from './controllers/garbage.ts';
import { startJobController } from './controllers/jobs.ts';
import { startNamespaceController } from './controllers/namespaces.ts';
import { createNodeController } from './controllers/nodes.ts';
import { startQuotaController } from './controllers/quotas.ts';
import { startScheduler } from './controllers/scheduler.ts';
import { type Controls, createControls } from './controls.ts';
import { createFaults, type Faults } from './faults/faults.ts';
import { createJournal, type Journal } from './journal.ts';
import { createGuard } from './kubelet/guard.ts';
import { createKubelet, type ImageRule, type Kubelet } from './kubelet/kubelet.ts';
import { createPrograms } from './kubelet/programs.ts';
import { createReaper } from './kubelet/reaper.ts';
import { nodeDraft } from './nodes.ts';
import { createPace } from './pace.ts';
import { type ClusterClock, machineClock } from './timers.ts';

export interface ClusterOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default `rstudio`. */
  readonly namespace?: string;
  /** Further namespaces. */
  readonly namespaces?: readonly string[];
  /** A text that is accepted as the launcher's token; default: one is made. */
  readonly token?: string;
  /** Default 1. */
  readonly nodes?: number;
  readonly cpuPerNode?: string;
  readonly memoryPerNode?: string;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  /** Divides the cluster's own delays; 1 is the pace of the recorded cluster (pace.ts). Default 1. */
  readonly speed?: number;
  /** Divides the seconds that objects ask for (grace periods, deadlines). Default 1. */
  readonly timeScale?: number;
  /** Default: this machine's. */
  readonly clock?: ClusterClock;
  /** Decides about images before their names do. */
  readonly images?: ImageRule;
  /** A directory of programs that stand for those of images (kubelet/programs.ts). */
  readonly programs?: string;
  /** Where names and ports come from; default Math.random. */
  readonly random?: () => number;
  /** Seed of the faults' random numbers; default 1. */
  readonly seed?: number;
  /** How often watches with bookmarks get one, milliseconds; default a minute. */
  readonly bookmarkMs?: number;
  /** How many changes of a kind are remembered for watches; default 20000. */
  readonly historyLength?: number;
  /** What GET /version says; default that of the recorded v1.36.2. */
  readonly version?: { readonly major: string; readonly minor: string; readonly gitVersion: string };
}

export interface SimulatedCluster extends Controls {
  readonly clock: ClusterClock;
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** PEM of its own authority. */
  readonly ca: string;
  /** Bearer token of `system:serviceaccount:<namespace>:job-launcher`. */
  readonly token: string;
  /** A token that may do everything. */
  readonly adminToken: string;
  readonly namespace: string;
  readonly journal: Journal;
  readonly accounts: Accounts;
  readonly access: Access;
  readonly store: Store;
  /** By node name. */
  readonly kubelets: ReadonlyMap<string, Kubelet>;
  /** Puts faults in the way of requests. */
  readonly faults: Faults;
  /** The launcher's token of now (`rotateToken` changes it). */
  readonly currentToken: () => string;
  /** Switches metrics.k8s.io on or off. */
  readonly setMetrics: (state: 'absent' | 'present') => void;
  /** Ends processes, sockets, timers and temporary directories. */
  readonly close: () => Promise<void>;
}

const LAUNCHER_ACCOUNT = 'job-launcher';

/** Rejects with the error of the socket if `port` is not to be had. */
export async function startCluster(options: ClusterOptions = {}): Promise<SimulatedCluster> {
  const namespace = options.namespace ?? 'rstudio';
  const random = options.random ?? Math.random;
  const clock = options.clock ?? machineClock;
  const pace = createPace(options.speed ?? 1, options.timeScale ?? 1, clock);
  const directory = mkdtempSync(join(tmpdir(), 'simulated-cluster-'));
  // Containers run as other users and must be able to pass through.
  chmodSync(directory, 0o711);

  const programs = createPrograms(options.programs, join(directory, 'programs'));

  const journal = createJournal();
  const store = createStore(journal, clock.now, options.historyLength);
  const accounts = createAccounts(clock.now);
  const access = createAccess(documentedRules(namespace));
  const events = createEventRecorder(store);
  const admission = createAdmission(store, random);
  const guard = createGuard();
  const reaper = createReaper();
  const kubelets = new Map<string, Kubelet>();
  const metrics = createMetrics(() => kubelets.values(), access, clock);

  for (const name of [namespace, 'default', ...(options.namespaces ?? [])]) addNamespace(store, name);
  const firstToken = options.token ?? accounts.issue(namespace, LAUNCHER_ACCOUNT);
  accounts.accept(firstToken, namespace, LAUNCHER_ACCOUNT);

  const controllers = [
    startJobController(store, admission, events, pace),
    startScheduler(store, events, pace),
    startGarbageCollector(store, pace),
    startQuotaController(store, pace),
    startNamespaceController(store, pace),
  ];

  for (let index = 0; index < (options.nodes ?? 1); index++) {
    const name = `node${index}`;
    const address = `10.250.0.${index + 1}`;
    store.create(
      NODES,
      nodeDraft({
        name,
        address,
        cpu: options.cpuPerNode ?? '64',
        memory: options.memoryPerNode ?? '256Gi',
        pods: '900',
        labels: { az: 'us-east', region: 'us', ...options.nodeLabels },
        nowMs: clock.now(),
      }),
    );
    const parts = {
      store,
      events,
      pace,
      journal,
      guard,
      reaper,
      directory,
      programs,
      images: options.images ?? (() => undefined),
    };
    kubelets.set(name, createKubelet({ ...parts, nodeName: name, hostIP: address, subnet: index }));
  }

  const identity = createIdentity();
  const faults = createFaults(options.seed ?? 1, clock);
  const nodeController = createNodeController(store, events, pace);
  let agent: 'available' | 'away' = 'available';
  let token = firstToken;
  const server: ApiServer = createApiServer({
    identity,
    accounts,
    access,
    store,
    writer: createWriter(store, admission, createValidation()),
    nodes: { kubeletOf: (pod) => kubelets.get(pod.spec.nodeName ?? ''), agentAvailable: () => agent === 'available' },
    metrics,
    eviction: createEviction(store),
    journal,
    pace,
    intercept: faults.intercept,
    watchOptions: (path) => ({
      ...faults.watchOptions(path),
      ...(options.bookmarkMs === undefined ? {} : { bookmarkMs: options.bookmarkMs }),
    }),
    version: { ...VERSION, ...options.version },
  });

  async function close(): Promise<void> {
    for (const controller of controllers) controller.close();
    nodeController.close();
    metrics.close();
    await Promise.all([...kubelets.values()].map((kubelet) => kubelet.destroy()));
    reaper.close();
    await server.stop('cut');
    rmSync(directory, { recursive: true, force: true });
  }

  try {
    await server.listen(options.port ?? 0);
  } catch (error) {
    await close();
    throw error;
  }

  const controls = createControls({
    clock,
    store,
    accounts,
    admission,
    server,
    kubelets,
    nodeController,
    namespace,
    account: LAUNCHER_ACCOUNT,
    setAgent: (state) => {
      agent = state;
    },
    currentToken: () => token,
    setToken: (next) => {
      token = next;
    },
  });

  return {
    ...controls,
    clock,
    url: `https://127.0.0.1:${server.port()}`,
    ca: identity.ca,
    token: firstToken,
    currentToken: () => token,
    faults,
    adminToken: accounts.issueAdmin(),
    namespace,
    journal,
    accounts,
    access,
    store,
    kubelets,
    setMetrics: metrics.setState,
    close,
  };
}

function addNamespace(store: Store, name: string): void {
  store.create(NAMESPACES, {
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  for (const account of ['default', LAUNCHER_ACCOUNT]) {
    store.create(SERVICE_ACCOUNTS, { metadata: { name: account, namespace: name } });
  }
}

const VERSION = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: 'v1.36.2',
  gitCommit: '$Format:%H$',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'go1.26.10',
  compiler: 'gc',
  platform: 'linux/amd64',
};

export type { Rule };

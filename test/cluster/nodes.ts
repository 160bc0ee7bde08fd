/**
 * Node objects as a kubelet registers them (recording 22).
 */
import { createHash } from 'node:crypto';
import type { Draft } from './api/store.ts';
import { type ClusterNode, timestamp } from './model.ts';

interface NodeOptions {
  readonly name: string;
  readonly address: string;
  readonly cpu: string;
  readonly memory: string;
  readonly pods: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

export function nodeDraft({ name, address, cpu, memory, pods, labels, nowMs }: NodeOptions): Draft<ClusterNode> {
  const now = timestamp(nowMs);
  const machine = createHash('md5').update(name).digest('hex');
  const capacity = { cpu, 'hugepages-1Gi': '0', 'hugepages-2Mi': '0', memory, pods };
  const fine = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
    reason,
    message,
  });
  return {
    metadata: {
      name,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        ...labels,
      },
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
    },
    spec: {},
    status: {
      capacity,
      allocatable: capacity,
      conditions: [
        fine('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
        fine('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        fine('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        fine('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
      ],
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        machineID: machine,
        systemUUID: machine,
        bootID: machine,
        kernelVersion: '6.18.0-simulated',
        osImage: 'Simulated Linux',
        containerRuntimeVersion: 'containerd://2.1.9',
        kubeletVersion: 'v1.36.2',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
      images: [{ names: ['docker.io/library/busybox:latest'], sizeBytes: 2212531 }],
    },
  };
}

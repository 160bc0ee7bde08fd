/**
 * exec and attach: what is refused before the upgrade, and what flows after it (kubernetes-facts.md 72 to 84, 133, 134).
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import type { JournalWriter } from '../journal.ts';
import { type RunningContainer, StartError } from '../kubelet/container.ts';
import { readKill } from '../kubelet/kill.ts';
import { killAll } from '../kubelet/killall.ts';
import type { Kubelet } from '../kubelet/kubelet.ts';
import type { PodWorker } from '../kubelet/worker.ts';
import type { Pod } from '../model.ts';
import type { Pace } from '../pace.ts';
import { CHANNELS, type Channels } from './channels.ts';
import { containerName, type Nodes } from './podlog.ts';
import { ApiError, badRequest } from './status.ts';

/** A refusal of the kubelet: plain text with its status. */
export class KubeletRefusal extends Error {
  override readonly name = 'KubeletRefusal';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

interface StreamTarget {
  readonly container: string;
  readonly running: RunningContainer;
  readonly kubelet: Kubelet;
  readonly worker: PodWorker;
}

/** @throws ApiError 400, 500; KubeletRefusal */
export function streamTarget(type: 'exec' | 'attach', pod: Pod, query: URLSearchParams, nodes: Nodes): StreamTarget {
  const container = containerName(pod, query.get('container'));
  if (pod.spec.nodeName === undefined) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const kubelet = nodes.kubeletOf(pod);
  if (!nodes.agentAvailable()) throw new ApiError(500, undefined, 'error dialing backend: No agent available');
  if (kubelet === undefined || !kubelet.isAlive()) {
    const host = kubelet?.hostIP ?? pod.status.hostIP ?? '10.250.0.1';
    throw new ApiError(500, undefined, `error dialing backend: dial tcp ${host}:10250: connect: connection refused`);
  }
  if (!['stdin', 'stdout', 'stderr'].some((name) => query.get(name) === 'true')) {
    throw new KubeletRefusal(400, 'you must specify at least 1 of stdin, stdout, stderr');
  }
  const worker = kubelet.worker(pod.metadata.uid);
  const running = worker?.containers.get(container);
  if (worker === undefined || running === undefined || running.hasEnded()) {
    const text =
      type === 'exec'
        ? `container not found ("${container}")`
        : `container ${container} not found in pod ${pod.metadata.name}_${pod.metadata.namespace}`;
    throw new KubeletRefusal(500, text);
  }
  return { container, running, kubelet, worker };
}

const SUCCESS = { metadata: {}, status: 'Success' };

function exited(code: number): object {
  if (code === 0) return SUCCESS;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

function cannotExec(why: string): object {
  const id = randomBytes(32).toString('hex');
  const text = `error executing command in container: failed to exec in container: failed to start exec "${id}": OCI runtime exec failed: exec failed: ${why}`;
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: Internal error occurred: ${text}`,
    reason: 'InternalError',
    details: { causes: [{ message: `Internal error occurred: ${text}` }] },
    code: 500,
  };
}

export function serveExec(
  { running, worker, container, kubelet }: StreamTarget,
  query: URLSearchParams,
  channels: Channels,
): void {
  const command = query.getAll('command');
  if (command.length === 0) {
    channels.finish(cannotExec('args must not be empty'));
    return;
  }
  const reading = readKill(command);
  if (reading.type === 'kill') {
    const killed = killAll(worker, container, reading.signal);
    if (!killed) void channels.send(CHANNELS.stderr, Buffer.from("sh: can't kill pid -1: No such process\n"));
    channels.finish(exited(killed ? 0 : 1));
    return;
  }
  if (reading.type === 'refused') {
    void channels.send(CHANNELS.stderr, Buffer.from(`${reading.why}\n`));
    channels.finish(exited(126));
    return;
  }
  let child: ReturnType<RunningContainer['exec']>;
  try {
    child = running.exec(command);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    channels.finish(cannotExec(`unable to start container process: ${error.message}`));
    return;
  }
  const { stdin, stdout, stderr } = child;
  const wanted = [
    ['stdout', CHANNELS.stdout, stdout],
    ['stderr', CHANNELS.stderr, stderr],
  ] as const;
  for (const [name, channel, stream] of wanted) {
    if (query.get(name) !== 'true') {
      stream?.resume();
      continue;
    }
    stream?.on('data', (chunk: Buffer) => {
      stream.pause();
      void channels.send(channel, chunk).then(() => stream.resume());
    });
  }
  stdin?.on('error', () => {});
  if (query.get('stdin') === 'true') {
    channels.onInput(
      (data) =>
        new Promise((resolve) => {
          running.touch();
          if (stdin === null) resolve();
          else stdin.write(data, () => resolve());
        }),
    );
    channels.onInputEnd(() => {
      running.touch();
      stdin?.end();
    });
  } else stdin?.end();
  const unlisten = kubelet.onDown(() => channels.abort());
  child.on('close', (code, signal) => {
    unlisten();
    channels.finish(exited(signal === null ? (code ?? 0) : 128 + constants.signals[signal]));
  });
}

export function serveAttach(
  { running, worker, container, kubelet }: StreamTarget,
  query: URLSearchParams,
  channels: Channels,
  pace: Pace,
  journal: JournalWriter,
): void {
  const spec = worker.pod().spec.containers.find(({ name }) => name === container);
  const unlisten = running.onOutput((stream, chunk) => {
    if (query.get(stream) === 'true') void channels.send(CHANNELS[stream], chunk);
  });
  if (query.get('stdin') === 'true' && spec?.stdin === true) {
    channels.onInput((data) => {
      journal.read(worker.uid, container, data.length);
      return running.input(data);
    });
    channels.onInputEnd(() => {
      if (spec.stdinOnce === true) running.closeInput();
    });
  }
  channels.onGone(unlisten);
  // A kubelet that goes takes its streams along: the container sees the end of its input (kubernetes-facts.md 82).
  const deaf = kubelet.onDown(() => {
    unlisten();
    if (spec?.stdinOnce === true) running.closeInput();
    channels.abort();
  });
  void running.ended.then(() => {
    pace.clock.after(pace.delay('attachEnd'), () => {
      deaf();
      channels.finish(SUCCESS);
    });
  });
}

/**
 * From an image on the node to a running process, or to the reason why there is none.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { timestamp } from '../model.ts';
import { type RunningContainer, StartError, startContainer } from './container.ts';
import { makeDirectory } from './directories.ts';
import { ConfigError, commandOf, environmentOf, identityOf, userOf } from './environment.ts';
import type { PodHands } from './hands.ts';
import { readKill } from './kill.ts';
import { type ContainerLog, createLog } from './log.ts';
import { createPuller, presentText } from './pull.ts';
import { quantity } from './quantity.ts';
import { containerId } from './states.ts';
import type { ContainerRecord } from './status.ts';

const OCI =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ';

/** Returns what starts a container of the pod: until it runs, or has failed to start for good. */
export function createStarter(hands: PodHands): (one: ContainerRecord) => Promise<void> {
  const { context, pod, containers, logs, report, note, pause, setMaking } = hands;
  const { store, pace, journal } = context;
  const { image, wait } = createPuller(hands);

  async function startOne(one: ContainerRecord): Promise<void> {
    setMaking(true);
    await image(one);
    const { spec } = one;
    for (;;) {
      try {
        const env = environmentOf(store, pod(), spec, pace.clock.containers?.programs);
        await pause(pace.delay('createContainer'));
        one.id = `containerd://${randomBytes(32).toString('hex')}`;
        note(spec, 'Normal', 'Created', 'Container created');
        await pause(pace.delay('startContainer'));
        launch(one, env);
        note(spec, 'Normal', 'Started', 'Container started');
        setMaking(false);
        await pause(pace.delay('reportRunning'));
        if (one.state.waiting !== undefined) one.state = { running: { startedAt: timestamp(store.now()) } };
        report();
        return;
      } catch (error) {
        if (error instanceof StartError) return await failedToStart(one, error.message);
        if (!(error instanceof ConfigError)) throw error;
        await wait(one, 'CreateContainerConfigError', error.message, `Error: ${error.message}`);
        note(spec, 'Normal', 'Pulled', presentText(spec));
      }
    }
  }

  function launch(one: ContainerRecord, env: Map<string, string>): void {
    const { spec } = one;
    const [program = '', ...args] = commandOf(spec, env);
    const command = [context.programs(spec.image ?? '', program), ...args];
    const reading = readKill(command);
    if (reading.type !== 'harmless') {
      throw new StartError(`exec: "${command[0]}": the simulated kubelet refuses commands that signal pid -1`);
    }
    const where = { pod: pod().metadata.name, podUid: pod().metadata.uid, container: spec.name };
    const log = createLog((data) => journal.wrote(where, data), context.preciseMs);
    logs.set(spec.name, log);
    const identity = identityOf(pod(), spec);
    const limit = spec.resources?.limits?.['memory'];
    const running: RunningContainer = startContainer({
      clock: pace.clock,
      command,
      env,
      podUid: pod().metadata.uid,
      workingDir: spec.workingDir,
      stdin: spec.stdin ?? false,
      directory: makeDirectory(join(context.directory, pod().metadata.uid, spec.name), identity),
      identity,
      user: userOf(pod(), spec),
      memoryLimit: limit === undefined ? undefined : quantity(limit),
      isAlone: () => [...containers.values()].every((other) => other === running || other.hasEnded()),
      log,
      guard: context.guard,
      reaper: context.reaper,
    });
    containers.set(spec.name, running);
    const entry: { endedAt?: number; exitCode?: number } & Parameters<typeof journal.processStarted>[0] = {
      ...where,
      pid: running.pid,
      startedAt: running.startedAt,
    };
    journal.processStarted(entry);
    void running.ended.then(({ exitCode }) => {
      entry.endedAt = store.now();
      entry.exitCode = exitCode;
    });
  }

  async function failedToStart(one: ContainerRecord, why: string): Promise<void> {
    logs.set(one.spec.name, finishedLog());
    note(one.spec, 'Warning', 'Failed', `Error: ${OCI}${why}`);
    one.state = {
      terminated: {
        exitCode: 128,
        reason: 'StartError',
        message: `${OCI}${why}`,
        startedAt: '1970-01-01T00:00:00Z',
        finishedAt: timestamp(store.now()),
        ...containerId(one),
      },
    };
    setMaking(false);
    await pause(pace.delay('reportStartError'));
    report();
  }

  return startOne;
}

function finishedLog(): ContainerLog {
  const log = createLog(() => {});
  log.finish();
  return log;
}

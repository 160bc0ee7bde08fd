/**
 * Containers of a cluster whose time is driven (timers.ts). Their `sleep` waits by that time; and time waits until they
 * are at rest: until each process waits for its time to come, for input, or for another process.
 */
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { ClusterClock } from '../timers.ts';
import type { Guard } from './guard.ts';
import { infoOf, type LookedAt, lookAt } from './processes.ts';

/** It says on descriptor 3 who sleeps how long, and is woken with USR2; in a program that closed it, it really sleeps. */
const SLEEP = `#!/bin/sh
trap 'exit 0' USR2
{ echo "$$ $1" >&3; } 2>/dev/null || exec /bin/sleep "$@"
read -r _ <&3
`;

/** Writes the programs that wait by a driven time into a folder. */
export function writeSleep(folder: string): void {
  mkdirSync(folder, { recursive: true });
  // Containers run as other users.
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'sleep'), SLEEP, { mode: 0o755 });
}

/** Where the channel of sleeps is among the descriptors of a process. */
const SLEEP_CHANNEL = 3;
/** Who computed this long without a word may do so for ever: time does not wait for it. */
const ENDLESS_MS = 500;

/** Who waits for another process waits for a program that has not yet begun, most of the time. */
const PATIENT_LOOKS = 5;

interface Rest {
  /** A process of the container was started: what it says of sleeping is heard. */
  readonly started: (child: ChildProcess) => void;
  /** Something has happened to its processes: they are looked at before time goes on. */
  readonly touch: () => void;
  readonly close: () => void;
}

interface RestOptions {
  readonly clock: ClusterClock;
  readonly guard: Guard;
  /** All its processes, for where the leaders of its sessions do not tell enough; slow. */
  readonly members: () => readonly number[];
  /** Called while it is not at rest, with how often it was not in a row. */
  readonly whileBusy: (looks: number) => void;
}

function isStill({ state, waitsFor }: LookedAt): boolean {
  return 'STZ'.includes(state) && waitsFor !== 'machine';
}

/** Does nothing where time is not driven. */
export function createRest({ clock, guard, members, whileBusy }: RestOptions): Rest {
  if (clock.containers === undefined) return { started: () => {}, touch: () => {}, close: () => {} };
  const leaders = new Set<number>();
  /** Pid -> the leader of its session. */
  const sleepers = new Map<number, number>();
  /** Milliseconds of processor time that a busy process had used when it was first seen so. */
  const busySince = new Map<number, number>();
  let isTouched = true;
  let busyLooks = 0;
  /** How often in a row the leaders did not tell enough. */
  let unclear = 0;
  /** What all its processes had done when they were last looked at. */
  let before = '';

  function touch(): void {
    isTouched = true;
    busySince.clear();
  }

  function sleeps(pid: number, leader: number, seconds: number): void {
    // Whoever writes this is a program of the container: it is believed only what the machine says, too.
    const isOfContainer = (): boolean => infoOf(pid)?.session === leader;
    if (!isOfContainer()) return;
    sleepers.set(pid, leader);
    touch();
    clock.after(seconds * 1000, () => {
      if (!sleepers.delete(pid) || !isOfContainer()) return;
      touch();
      guard.register(pid);
      guard.signal(pid, 'SIGUSR2');
    });
  }

  function isEndless(pid: number, { cpuMs }: LookedAt): boolean {
    const since = busySince.get(pid) ?? cpuMs;
    busySince.set(pid, since);
    return cpuMs - since >= ENDLESS_MS;
  }

  /** Undefined where it does not say: it waits for a process that is not known here. */
  function restOf(pid: number): boolean | undefined {
    const seen = lookAt(pid);
    if (seen === undefined || seen.state === 'Z') {
      // Who waited for it goes on now; the end of a leader is over when all that it wrote was read.
      return !sleepers.delete(pid) && !leaders.has(pid);
    }
    if (seen.state === 'T') return true;
    if (seen.state !== 'S' || seen.waitsFor === 'machine') return isEndless(pid, seen);
    if (sleepers.has(pid) || seen.waitsFor === 'input') return true;
    return [...sleepers.values()].includes(pid) ? true : undefined;
  }

  /** Looked at twice: none of all its processes has done anything in between. */
  function areAllStill(): boolean {
    const all = members().flatMap((pid) => {
      const seen = lookAt(pid);
      return seen === undefined ? [] : [{ pid, seen }];
    });
    // Who computes for ever does not stand still.
    const endless = all.filter(({ pid, seen }) => !isStill(seen) && isEndless(pid, seen));
    const rest = all.filter((one) => !endless.includes(one));
    const now = JSON.stringify(rest);
    const isSame = now === before;
    before = now;
    return isSame && rest.every(({ seen }) => isStill(seen));
  }

  function isAtRest(): boolean {
    if (!isTouched) return true;
    const found = [...new Set([...leaders, ...sleepers.keys()])].map(restOf);
    const isUnclear = !found.includes(false) && found.includes(undefined);
    unclear = isUnclear ? unclear + 1 : 0;
    const isStill = isUnclear ? unclear > PATIENT_LOOKS && areAllStill() : !found.includes(false);
    if (isStill) isTouched = false;
    busyLooks = isStill ? 0 : busyLooks + 1;
    if (!isStill) whileBusy(busyLooks);
    return isStill;
  }

  const unwatch = clock.containers.waitFor(isAtRest);
  return {
    started: (child) => {
      const { pid } = child;
      if (pid === undefined) return;
      leaders.add(pid);
      touch();
      const channel = child.stdio[SLEEP_CHANNEL] as Socket;
      let rest = '';
      channel.on('data', (data: Buffer) => {
        const lines = (rest + data).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const [sleeper = 0, seconds = 0] = line.split(' ').map(Number);
          sleeps(sleeper, pid, seconds);
        }
      });
      channel.on('error', () => {});
      child.on('exit', touch);
      child.on('close', () => {
        leaders.delete(pid);
        for (const [sleeper, leader] of sleepers) if (leader === pid) sleepers.delete(sleeper);
        touch();
      });
    },
    touch,
    close: unwatch,
  };
}

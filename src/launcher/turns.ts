/**
 * Who may begin when more is asked than can be done at once: the users take turns, and nobody takes everything.
 */

interface Turns {
  /** Runs `begin` as soon as it is this user's turn; `begin` calls `done` once. */
  readonly take: (user: string, begin: (done: () => void) => void) => void;
}

/**
 * At most `limit` are in progress at a time. A user may begin another one only while more places are free than this user
 * already has: so one user alone gets half of them, and others always find some. Who waits is served round robin.
 */
export function createTurns(limit: number): Turns {
  const running = new Map<string, number>();
  /** Only users with somebody waiting, in the order of their turns. */
  const waiting = new Map<string, ((done: () => void) => void)[]>();
  let inProgress = 0;

  const mayBegin = (user: string): boolean => (running.get(user) ?? 0) < limit - inProgress;

  const begin = (user: string, run: (done: () => void) => void): void => {
    inProgress++;
    running.set(user, (running.get(user) ?? 0) + 1);
    run(() => {
      inProgress--;
      const left = (running.get(user) ?? 0) - 1;
      if (left > 0) running.set(user, left);
      else running.delete(user);
      next();
    });
  };

  /** Begins one of each user in turn until nobody who waits may begin. */
  const next = (): void => {
    for (const [user, queue] of waiting) {
      if (!mayBegin(user)) continue;
      const run = queue.shift();
      waiting.delete(user);
      if (queue.length > 0) waiting.set(user, queue);
      if (run !== undefined) begin(user, run);
    }
  };

  return {
    take: (user, run) => {
      const queue = waiting.get(user);
      if (queue !== undefined) queue.push(run);
      else if (mayBegin(user)) begin(user, run);
      else waiting.set(user, [run]);
    },
  };
}

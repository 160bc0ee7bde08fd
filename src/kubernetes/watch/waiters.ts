/** Those who wait for something to become true. */
export class Waiters {
  readonly #checks = new Set<() => void>();

  /** To be called after each change of what is waited for. */
  wake(): void {
    if (this.#checks.size === 0) return;
    for (const check of [...this.#checks]) check();
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const end = (): void => {
        this.#checks.delete(check);
        signal.removeEventListener('abort', onAbort);
      };
      const check = (): void => {
        if (!condition()) return;
        end();
        resolve();
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#checks.add(check);
      check();
    });
  }
}

/** The memory that all loops over bytes share (byte-loop.ts), and large buffers within it, which loops use without a copy. */

/** Bytes that a loop takes at a time where its input or output is not in this memory. */
export const BLOCK_BYTES = 64 * 1024;
/** Bytes that one byte may become. */
const MAX_GROWTH = 6;
/** Loops read and write up to this number of bytes after the end of what they need. */
const SLACK_BYTES = 64;

/** Where a loop finds its table, leaves its results, and reads and writes bytes that are copied. */
export const TABLE = 0;
export const RESULTS = 1024;
export const INPUT = 4096;
export const OUTPUT = INPUT + BLOCK_BYTES + SLACK_BYTES;

/** The size of a large buffer, and how many there are. Pages that were never written take no memory. */
export const LARGE_BYTES = 1024 * 1024;
const LARGE_BUFFERS = 8;
const FIRST_LARGE = OUTPUT + MAX_GROWTH * BLOCK_BYTES + SLACK_BYTES;

const PAGE_BYTES = 64 * 1024;
export const PAGES = Math.ceil((FIRST_LARGE + LARGE_BUFFERS * (LARGE_BYTES + SLACK_BYTES)) / PAGE_BYTES);

/** Of the global object, without the types of browsers. */
export interface WebAssemblyApi {
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly loop: { readonly memory: object } },
  ) => { readonly exports: { readonly run: (input: number, end: number, output: number, state: number) => number } };
}

/** Undefined where it cannot be made: a limit of the address space, say. */
let made: { readonly memory: { readonly buffer: ArrayBuffer } | undefined } | undefined;

/** Made when it is needed first. */
export function loopMemory(): { readonly buffer: ArrayBuffer } | undefined {
  made ??= { memory: tryMemory() };
  return made.memory;
}

function tryMemory(): { readonly buffer: ArrayBuffer } | undefined {
  try {
    const api = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyApi;
    return new api.Memory({ initial: PAGES, maximum: PAGES });
  } catch {
    return undefined;
  }
}

let reserved = 0;

/** Some of the large buffers, for one purpose. */
export class LargeBuffers {
  readonly #first = reserved;
  readonly #count: number;
  #unused: Buffer[] | undefined;

  constructor(count: number) {
    reserved += count;
    if (reserved > LARGE_BUFFERS) throw new Error(`there are ${LARGE_BUFFERS} large buffers`);
    this.#count = count;
  }

  /** One of LARGE_BYTES, for `give`; undefined: all are used, or this host has no such memory. */
  take(): Buffer | undefined {
    this.#unused ??= this.#all();
    return this.#unused.pop();
  }

  /** For a buffer that is not used any more; does nothing with other buffers. */
  give(buffer: Buffer): void {
    if (buffer.length === LARGE_BYTES && buffer.buffer === made?.memory?.buffer) this.#unused?.push(buffer);
  }

  #all(): Buffer[] {
    const memory = loopMemory();
    if (memory === undefined) return [];
    return Array.from({ length: this.#count }, (_, index) =>
      Buffer.from(memory.buffer, FIRST_LARGE + (this.#first + index) * (LARGE_BYTES + SLACK_BYTES), LARGE_BYTES),
    ).reverse();
  }
}

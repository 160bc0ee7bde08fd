/**
 * Loops over bytes in WebAssembly, for what each byte of a log passes through: the same loops in JavaScript take 5 to 20 times the
 * CPU time, and V8 takes as much again to compile them. Each has a twin in JavaScript for short inputs, and for hosts without it.
 */

import { BLOCK_BYTES, INPUT, loopMemory, OUTPUT, PAGES, RESULTS, TABLE, type WebAssemblyApi } from './loop-memory.ts';

/** A loop in the text format of WebAssembly, as a list of lists. */
type Node = string | readonly Node[];

/** The loop with its table in the memory. */
let tableOwner: ByteLoop | undefined;

export class ByteLoop {
  /** Has TABLE and RESULTS. */
  readonly memory: Buffer;
  readonly #buffer: ArrayBuffer;
  readonly #table: Uint8Array;
  readonly #results: Int32Array;
  readonly #run: (input: number, end: number, output: number, state: number) => number;
  #input = INPUT;

  /**
   * `text`: locals and instructions of a function in the text format of WebAssembly. The function has the parameters $at and $end
   * (the input), $out (the output) and $state, and returns where the output ends.
   */
  constructor(text: string, table: Uint8Array) {
    const api = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyApi;
    const memory = loopMemory();
    if (memory === undefined) throw new Error('no memory for loops');
    this.#run = new api.Instance(new api.Module(moduleOf(text)), { loop: { memory } }).exports.run;
    this.#buffer = memory.buffer;
    this.memory = Buffer.from(memory.buffer);
    this.#table = table;
    this.#results = new Int32Array(memory.buffer, RESULTS, (INPUT - RESULTS) / 4);
  }

  /**
   * Runs the loop with these bytes and writes to `target`, which may be the same buffer; returns where the output ends. Takes
   * BLOCK_BYTES at most, unless both are large buffers (loop-memory.ts): these are not copied.
   */
  run(bytes: Buffer, start: number, end: number, target: Buffer, at: number, state = 0): number {
    if (this.#table.length > 0 && tableOwner !== this) {
      this.memory.set(this.#table, TABLE);
      tableOwner = this;
    }
    if (bytes.buffer === this.#buffer && target.buffer === this.#buffer) {
      const { byteOffset } = bytes;
      this.#input = byteOffset + start;
      return this.#run(this.#input, byteOffset + end, target.byteOffset + at, state) - target.byteOffset;
    }
    this.#input = INPUT;
    const length = bytes.copy(this.memory, INPUT, start, Math.min(end, start + BLOCK_BYTES));
    const written = this.#run(INPUT, INPUT + length, OUTPUT, state);
    return at + this.memory.copy(target, at, OUTPUT, written);
  }

  /** A word that the loop has left in RESULTS. */
  result(index: number): number {
    return this.#results[index] ?? 0;
  }

  /** An address of the input that the loop has left in RESULTS: bytes from `start`. */
  distance(index: number): number {
    return this.result(index) - this.#input;
  }
}

/** Makes a loop when it is needed first; undefined where WebAssembly or its vectors do not work. */
export function byteLoop(text: string, table: Uint8Array = new Uint8Array()): () => ByteLoop | undefined {
  let made: { readonly loop: ByteLoop | undefined } | undefined;
  return () => {
    made ??= { loop: tryLoop(text, table) };
    return made.loop;
  };
}

function tryLoop(text: string, table: Uint8Array): ByteLoop | undefined {
  try {
    return new ByteLoop(text, table);
  } catch {
    // A processor without vectors, or a limit of the address space.
    return undefined;
  }
}

/** The instructions that loops use. */
const OPCODES: Readonly<Record<string, readonly number[]>> = {
  block: [0x02],
  loop: [0x03],
  if: [0x04],
  br: [0x0c],
  br_if: [0x0d],
  'local.get': [0x20],
  'local.set': [0x21],
  'local.tee': [0x22],
  'i32.load': [0x28],
  'i64.load': [0x29],
  'i32.load8_u': [0x2d],
  'i32.load16_u': [0x2f],
  'i32.store': [0x36],
  'i32.store8': [0x3a],
  'i32.const': [0x41],
  'i32.eqz': [0x45],
  'i32.eq': [0x46],
  'i32.ne': [0x47],
  'i32.lt_u': [0x49],
  'i32.gt_u': [0x4b],
  'i32.ge_u': [0x4f],
  'i64.eq': [0x51],
  'i32.ctz': [0x68],
  'i32.add': [0x6a],
  'i32.sub': [0x6b],
  'i32.and': [0x71],
  'i32.or': [0x72],
  'i32.shl': [0x74],
  'v128.load': [0xfd, 0x00],
  'v128.store': [0xfd, 0x0b],
  'i8x16.splat': [0xfd, 0x0f],
  'i64x2.splat': [0xfd, 0x12],
  'i8x16.eq': [0xfd, 0x23],
  'i8x16.lt_u': [0xfd, 0x26],
  'i8x16.gt_u': [0xfd, 0x28],
  'v128.or': [0xfd, 0x50],
  'v128.xor': [0xfd, 0x51],
  'v128.any_true': [0xfd, 0x53],
  'i8x16.bitmask': [0xfd, 0x64],
  'i8x16.sub': [0xfd, 0x71],
};
const TYPES: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };
const NO_TYPE = 0x40;
const ELSE = 0x05;
const END = 0x0b;
const PARAMETERS = ['$at', '$end', '$out', '$state'];

/** A module with one function; the memory is given to it. */
function moduleOf(text: string): Uint8Array<ArrayBuffer> {
  const i32 = TYPES['i32'] ?? 0;
  const code = body(parse(text));
  const section = (id: number, ...content: number[]): number[] => [id, ...unsigned(content.length), ...content];
  const name = (value: string): number[] => [value.length, ...Buffer.from(value)];
  return Uint8Array.from([
    ...Buffer.from('\0asm'),
    ...[1, 0, 0, 0],
    ...section(1, 1, 0x60, PARAMETERS.length, ...PARAMETERS.map(() => i32), 1, i32),
    ...section(2, 1, ...name('loop'), ...name('memory'), 2, 1, ...unsigned(PAGES), ...unsigned(PAGES)),
    ...section(3, 1, 0),
    ...section(7, 1, ...name('run'), 0, 0),
    ...section(10, 1, ...unsigned(code.length), ...code),
  ]);
}

function parse(text: string): readonly Node[] {
  const stack: Node[][] = [[]];
  for (const token of text.replace(/;;.*/g, '').match(/[()]|[^\s()]+/g) ?? []) {
    if (token === '(') stack.push([]);
    else if (token === ')') stack.at(-2)?.push(stack.pop() ?? []);
    else stack.at(-1)?.push(token);
  }
  return stack[0] ?? [];
}

/** The code of a function: its locals, then its instructions. */
function body(nodes: readonly Node[]): number[] {
  const locals = nodes.filter((node) => node[0] === 'local');
  const types = locals.flatMap(([, , type]) => [1, TYPES[String(type)] ?? 0]);
  const code = [...unsigned(locals.length), ...types];
  const names = [...PARAMETERS, ...locals.map(([, name]) => String(name))];
  for (const node of nodes) if (node[0] !== 'local') write(node, { code, names, labels: [] });
  code.push(END);
  return code;
}

interface Scope {
  readonly code: number[];
  /** Of parameters and locals. */
  readonly names: readonly string[];
  /** Of the blocks around an instruction, from the outermost. */
  readonly labels: string[];
}

/** A folded instruction: its operands are written inside, and come before it. */
function write(node: Node, scope: Scope): void {
  const [name, ...rest] = node;
  const opcode = OPCODES[String(name)];
  if (typeof node === 'string' || opcode === undefined) throw new Error(`no instruction: ${name}`);
  const { code, labels } = scope;
  if (name === 'block' || name === 'loop') {
    code.push(...opcode, NO_TYPE);
    writeWithin(rest.slice(1), String(rest[0]), scope);
    code.push(END);
  } else if (name === 'if') {
    const [condition = '', [, ...then] = [], otherwise] = rest;
    write(condition, scope);
    code.push(...opcode, NO_TYPE);
    writeWithin(then, '', scope);
    if (otherwise !== undefined) {
      code.push(ELSE);
      writeWithin(otherwise.slice(1) as readonly Node[], '', scope);
    }
    code.push(END);
  } else {
    for (const operand of rest) if (typeof operand !== 'string') write(operand, scope);
    code.push(...opcode);
    const text = typeof rest[0] === 'string' ? rest[0] : '';
    if (opcode[0] === OPCODES['i32.const']?.[0]) code.push(...signed(Number(text)));
    else if (String(name).startsWith('local.')) code.push(...unsigned(scope.names.indexOf(text)));
    else if (name === 'br' || name === 'br_if') code.push(...unsigned(labels.length - 1 - labels.lastIndexOf(text)));
    // The alignment has no effect.
    else if (/load|store/.test(String(name))) code.push(0, ...unsigned(Number(text.replace('offset=', ''))));
  }
}

function writeWithin(nodes: readonly Node[], label: string, scope: Scope): void {
  scope.labels.push(label);
  for (const node of nodes) write(node, scope);
  scope.labels.pop();
}

/** LEB128. */
function unsigned(value: number): number[] {
  if (!(value >= 0)) throw new Error('a name without a local or block');
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

/** Loops in WebAssembly: what their text means, and what is done where they do not work. */
import t from 'tap';
import { ByteLoop, byteLoop } from '../../src/system/byte-loop.ts';
import { BLOCK_BYTES, LARGE_BYTES, LargeBuffers, RESULTS, TABLE } from '../../src/system/loop-memory.ts';

/** Copies bytes until one is $state, adds one to each, and leaves their number in a result. */
const UNTIL = `
  (local $byte i32) (local $first i32) ;; a comment (with brackets)
  (local.set $first (local.get $at))
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $byte (i32.load8_u (local.get $at)))
      (if (i32.eq (local.get $byte) (local.get $state))
        (then (br $done))
        (else (local.set $byte (i32.add (local.get $byte) (i32.const 1)))))
      (i32.store8 (local.get $out) (local.get $byte))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (br $next)))
  (i32.store offset=${RESULTS} (i32.const 0) (i32.sub (local.get $at) (local.get $first)))
  (i32.store offset=${RESULTS + 4} (i32.const 0) (i32.const -70000))
  (local.get $out)`;

/** As many bytes as the table begins with, and the number of bytes that were given. */
const FIRST_OF_TABLE = `(i32.add (local.get $out) (i32.load8_u (i32.const ${TABLE})))`;
const COUNT = `
  (i32.store offset=${RESULTS} (i32.const 0) (i32.sub (local.get $end) (local.get $at)))
  (local.get $out)`;

t.test('a loop reads bytes, a state and a table, and leaves bytes and results', async (t) => {
  const loop = new ByteLoop(UNTIL, new Uint8Array());
  const bytes = Buffer.from('..abcxdef..');
  const out = Buffer.alloc(6, '-');
  t.equal(loop.run(bytes, 2, 9, out, 2, 'x'.charCodeAt(0)), 5);
  t.equal(out.toString(), '--bcd-');
  t.equal(loop.result(0), 3);
  t.equal(loop.result(1), -70_000, 'a negative constant');
  t.equal(loop.run(bytes, 2, 5, out, 0), 3, 'to the end');

  const first = new ByteLoop(FIRST_OF_TABLE, Uint8Array.of(5));
  const second = new ByteLoop(FIRST_OF_TABLE, Uint8Array.of(7));
  t.same(
    [first, second, first].map((each) => each.run(bytes, 0, 1, Buffer.alloc(9), 0)),
    [5, 7, 5],
    'each has its table',
  );
});

t.test('a loop takes one block at most of what it copies', async (t) => {
  const loop = new ByteLoop(COUNT, new Uint8Array());
  const bytes = Buffer.alloc(BLOCK_BYTES + 10);
  const counted = (from: number, source: Buffer = bytes, target: Buffer = bytes): number => {
    loop.run(source, from, source.length, target, 0);
    return loop.result(0);
  };
  t.equal(counted(4), BLOCK_BYTES);
  t.equal(counted(20), BLOCK_BYTES - 10);
  const buffers = new LargeBuffers(2);
  const [one = bytes, other = bytes] = [buffers.take(), buffers.take()];
  t.equal(counted(20, one, other), LARGE_BYTES - 20, 'large buffers are not copied');
  t.equal(counted(20, one), BLOCK_BYTES);
  t.equal(counted(20, bytes, other), BLOCK_BYTES - 10);
});

t.test('in large buffers a loop works as in others, within its input too', async (t) => {
  const loop = new ByteLoop(UNTIL, new Uint8Array());
  const buffers = new LargeBuffers(2);
  const [one = Buffer.alloc(0), other = Buffer.alloc(0)] = [buffers.take(), buffers.take()];
  t.equal(buffers.take(), undefined);
  one.write('..abcxdef..');
  const bytes = one.subarray(1);
  t.equal(loop.run(bytes, 1, 8, other, 3, 'x'.charCodeAt(0)), 6);
  t.equal(other.toString('latin1', 3, 6), 'bcd');
  t.equal(loop.result(0), 3);
  t.equal(loop.run(bytes, 1, 8, bytes, 0, 'x'.charCodeAt(0)), 3);
  t.equal(bytes.toString('latin1', 0, 3), 'bcd');
  buffers.give(Buffer.alloc(LARGE_BYTES));
  t.equal(buffers.take(), undefined, 'of another memory');
  buffers.give(other);
  t.equal(buffers.take(), other);
  t.throws(() => new LargeBuffers(9), { message: 'there are 8 large buffers' });
});

t.test('a loop that cannot be made is undefined, and is not tried again', async (t) => {
  for (const text of [
    '(i32.const 1',
    '(no.instruction)',
    '(local.get $missing)',
    '(i64.load (local.get $at))',
    'word',
  ]) {
    const loop = byteLoop(text);
    t.equal(loop(), undefined, text);
    t.equal(loop(), undefined, text);
  }
  const made = byteLoop('(local.get $out)');
  t.ok(made() instanceof ByteLoop);
  t.equal(made(), made());

  const api = Reflect.get(globalThis, 'WebAssembly');
  t.teardown(() => Reflect.set(globalThis, 'WebAssembly', api));
  Reflect.set(globalThis, 'WebAssembly', undefined);
  t.equal(byteLoop('(local.get $out)')(), undefined, 'without WebAssembly');
});

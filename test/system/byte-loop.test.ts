/** Loops in WebAssembly: what their text means, and what is done where they do not work. */
import t from 'tap';
import { BLOCK_BYTES, ByteLoop, byteLoop, INPUT, RESULTS } from '../../src/system/byte-loop.ts';

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

t.test('a loop reads bytes, a state and a table, and leaves bytes and results', async (t) => {
  const loop = new ByteLoop(UNTIL, new Uint8Array());
  const bytes = Buffer.from('..abcxdef..');
  t.equal(loop.run(bytes, 2, 9, 'x'.charCodeAt(0)), 3);
  t.equal(loop.result(0), 3);
  t.equal(loop.result(1), -70_000, 'a negative constant');
  const out = Buffer.alloc(6, '-');
  t.equal(loop.copy(out, 2), 5);
  t.equal(out.toString(), '--bcd-');
  t.equal(loop.run(bytes, 2, 5), 3, 'to the end');

  const table = new ByteLoop('(i32.add (local.get $out) (i32.load8_u (i32.const 1)))', Uint8Array.of(5, 7));
  t.equal(table.run(bytes, 0, 1), 7);
});

t.test('a loop takes one block at most', async (t) => {
  const length = new ByteLoop(
    '(i32.add (local.get $out) (i32.sub (local.get $end) (local.get $at)))',
    new Uint8Array(),
  );
  t.equal(length.run(Buffer.alloc(BLOCK_BYTES + 10), 4, BLOCK_BYTES + 10), BLOCK_BYTES);
  t.equal(length.run(Buffer.alloc(BLOCK_BYTES + 10), 20, BLOCK_BYTES + 10), BLOCK_BYTES - 10);
  const start = new ByteLoop('(local.get $at)', new Uint8Array());
  t.equal(start.run(Buffer.alloc(1), 0, 1) + start.memory.length > INPUT, true);
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

/** The first step of the executable: its machine code, and where it lies. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { withEntry } from '../../build/elf.ts';
import { assemble, firstStep } from '../../build/first-step.ts';
import { nodeBinary } from '../../build/node-binary.ts';

const root = resolve(import.meta.dirname, '../..');
const ENTRY = 0x7f6cc0;
const PAGE = 4096;
/** The assembler of binutils. */
const AS = '/usr/bin/as';

t.test(
  'the assembler makes the same code as that of binutils',
  {
    skip: existsSync(AS) ? false : 'needs binutils',
  },
  async (t) => {
    const directory = t.testdir({});
    const [source, object, code] = ['first.s', 'first.o', 'first.bin'].map((name) => join(directory, name));
    if (source === undefined || object === undefined || code === undefined) throw new Error('no names');
    writeFileSync(source, firstStep(ENTRY));
    execFileSync(AS, [source, '-o', object]);
    execFileSync('/usr/bin/objcopy', ['-O', 'binary', '-j', '.text', object, code]);
    t.equal(assemble(firstStep(ENTRY)).toString('hex'), readFileSync(code).toString('hex'));
  },
);

t.test('an unknown instruction is an error', async (t) => {
  t.throws(() => assemble('    nonsense %rax\n'), { message: /Unknown opcode/ });
});

t.test('the code lies behind that of the program, which is not changed otherwise', async (t) => {
  const program = readFileSync(nodeBinary(root, 'x64').file);
  let entry = 0;
  const changed = withEntry(program, (found) => {
    entry = found;
    return Buffer.from('code');
  });
  t.equal(entry, Number(program.readBigUInt64LE(24)));
  const at = changed.indexOf('code\0', 0x2c00000);
  t.same(changed.subarray(at, at + 4), Buffer.from('code'));
  const different = (from: number, to: number): readonly number[] =>
    Array.from({ length: (to - from) / 8 }, (_, i) => from + 8 * i).filter(
      (i) => !program.subarray(i, i + 8).equals(changed.subarray(i, i + 8)),
    );
  const [entryAt, ...sizes] = different(0, PAGE);
  t.equal(entryAt, 24);
  t.equal(sizes.length, 2, 'both sizes of one program header');
  const page = at - (at % PAGE);
  t.same(different(page, page + PAGE), [at - (at % 8)]);
  t.ok(program.subarray(PAGE, page).equals(changed.subarray(PAGE, page)));
  t.ok(program.subarray(page + PAGE).equals(changed.subarray(page + PAGE)));
  t.throws(() => withEntry(program, () => Buffer.alloc(4096)), {
    message: 'there are no 4096 free bytes behind the code of the program',
  });
});

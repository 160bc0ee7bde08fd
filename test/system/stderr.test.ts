/** stderr when it is a pipe that is read slowly, late or not at all: nothing ever waits for it for long. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import t, { type Test } from 'tap';

const STDERR = new URL('../../src/system/stderr.ts', import.meta.url).href;

/**
 * A process that runs `code` with `say` for each line of its stdin, answering `done` each time. Its stderr is a pipe of
 * 64 KiB (those of spawn are sockets).
 */
function speaker(t: Test, code: string) {
  const path = `${t.testdir()}/pipe`;
  execFileSync('/usr/bin/mkfifo', [path]);
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writing = openSync(path, constants.O_WRONLY);
  const script = `
    import { createInterface } from 'node:readline';
    import { openStderr } from ${JSON.stringify(STDERR)};
    const say = openStderr();
    for await (const line of createInterface(process.stdin)) {
      ${code}
      console.log('done');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', writing] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('spawn gave no pipes');
  closeSync(writing);
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const answers = createInterface(stdout)[Symbol.asyncIterator]();
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(reading);
    isOpen = false;
  };
  t.teardown(() => {
    close();
    child.kill('SIGKILL');
  });
  return {
    tell: async (line: string): Promise<unknown> => {
      stdin.write(`${line}\n`);
      return (await answers.next()).value;
    },
    end: (): Promise<number | null> => {
      stdin.end();
      return exit;
    },
    /** What is in the pipe now. */
    read: (): string => {
      const chunks: Buffer[] = [];
      for (;;) {
        const chunk = Buffer.alloc(65_536);
        try {
          const length = readSync(reading, chunk);
          if (length === 0) break;
          chunks.push(chunk.subarray(0, length));
        } catch {
          break;
        }
      }
      return Buffer.concat(chunks).toString();
    },
    close,
  };
}

t.test('without a reader the process continues, and reports how much is missing to the next reader', async (t) => {
  const { tell, end, read } = speaker(t, `for (let i = 1; i <= 1000; i++) say(line + i + ' ' + 'x'.repeat(100));`);
  t.equal(await tell('a'), 'done');
  t.equal(await tell('b'), 'done');
  const first = read().trimEnd().split('\n');
  const kept = first.length;
  t.ok(kept > 500 && kept < 650, `${kept} lines are in the pipe`);
  t.ok(
    first.every((line, index) => line === `a${index + 1} ${'x'.repeat(100)}`),
    'whole, and in order',
  );
  t.equal(await tell('c'), 'done');
  const [late, notice, ...rest] = read().trimEnd().split('\n');
  t.equal(late, `a${kept + 1} ${'x'.repeat(100)}`, 'the one that found no room');
  t.equal(notice, `Dropped ${2000 - kept - 1} log lines here, because nobody read stderr`);
  t.equal(rest[0], `c1 ${'x'.repeat(100)}`);
  t.equal(await end(), 0);
});

t.test('a line that is taken in part is written to its end first', async (t) => {
  const { tell, end, read } = speaker(t, `say(line.length === 1 ? line.repeat(50_000) : line);`);
  let text = '';
  for (const lines of [['a', 'b', 'c'], ['d'], ['e'], ['end']]) {
    for (const line of lines) await tell(line);
    text += read();
  }
  t.strictSame(
    text.split('\n').map((line) => line.replace(/^(.)\1*$/, (all, letter) => `${all.length} ${letter}`)),
    ['50000 a', '50000 b', 'Dropped 1 log lines here, because nobody read stderr', '50000 d', '50000 e', 'end', ''],
  );
  t.equal(await end(), 0);
});

t.test('a slow reader is waited for, also right before the end', async (t) => {
  const { end, tell, read } = speaker(
    t,
    `setTimeout(() => { for (let i = 1; i <= 1000; i++) say(i + ' ' + 'x'.repeat(100)); say('the last words'); process.exit(7); });`,
  );
  await tell('');
  const exit = end();
  let text = '';
  const timer = setInterval(() => {
    text += read();
  }, 5);
  t.equal(await exit, 7);
  clearInterval(timer);
  text += read();
  const lines = text.trimEnd().split('\n');
  t.equal(lines.length, 1001);
  t.equal(lines.at(-1), 'the last words');
});

t.test('a reader that went away', async (t) => {
  const { tell, end, close } = speaker(t, `for (let i = 1; i <= 1000; i++) say('x'.repeat(100));`);
  t.equal(await tell('a'), 'done');
  close();
  t.equal(await tell('b'), 'done');
  t.equal(await end(), 0);
});

t.test('the descriptor that others share stays as it was', async (t) => {
  const script = `
    import { readFileSync } from 'node:fs';
    import { openStderr } from ${JSON.stringify(STDERR)};
    openStderr()('hello');
    const [, flags] = /^flags:\\s*(\\d+)/m.exec(readFileSync('/proc/self/fdinfo/2', 'utf8'));
    console.log((parseInt(flags, 8) & ${constants.O_NONBLOCK}) === 0);`;
  const piped = ['-c', '"$0" --input-type=module -e "$1" 2>&1 >&3 | cat', process.execPath, script];
  const child = spawn('/bin/sh', piped, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stdio[3]]) {
    (stream as Readable).setEncoding('utf8').on('data', (text: string) => chunks.push(text));
  }
  await new Promise((resolve) => child.once('close', resolve));
  t.strictSame(chunks.sort(), ['hello\n', 'true\n']);
});

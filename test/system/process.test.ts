/** A crash is told, and what is queued is written, before the process ends; nothing can keep it from ending. */
import { type ExecFileException, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';

const crash = new URL('../../src/system/process.ts', import.meta.url).href;

/** A process that crashes while something is queued; prints the log to stderr and the queue to stdout. */
async function crashing(
  code: string,
  flush = `async () => { process.stdout.write('queued') }`,
): Promise<ExecFileException> {
  const script = `
    import { exitOnCrash } from ${JSON.stringify(crash)};
    import { setTimeout as sleep } from 'node:timers/promises';
    const say = (level) => (sentence, { error }) => console.error(level, sentence, error.message, error.stack.includes('at '));
    const log = { error: say('ERROR') };
    setInterval(() => {}, 1000);
    exitOnCrash({ log, flush: ${flush} });
    ${code}`;
  return promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]).then(
    ({ stdout, stderr }) => Object.assign(new Error('it did not crash'), { code: 0, stdout, stderr }),
    (error) => error,
  );
}

const SENTENCE = 'ERROR Unexpected error, a defect of the plugin; exiting with code 70';

t.test('a crash is logged, what is queued is written, and the code is 70', async (t) => {
  const outcomes = await Promise.all([
    crashing(`setTimeout(() => { throw new Error('thrown in a timer'); }, 1);`),
    crashing(`Promise.reject(new Error('rejected'));`),
    crashing(`throw new Error('thrown at once');`),
    crashing(`throw new Error('first');`, `async () => { throw new Error('flush failed'); }`),
    crashing(
      `throw new Error('first');`,
      `() => { setTimeout(() => { throw new Error('second'); }); return new Promise(() => {}); }`,
    ),
    crashing(`throw new Error('first');`, `() => new Promise(() => {})`),
  ]);
  t.strictSame(
    outcomes.map(({ code, stdout, stderr }) => ({ code, stdout, stderr })),
    [
      { code: 70, stdout: 'queued', stderr: `${SENTENCE} thrown in a timer true\n` },
      { code: 70, stdout: 'queued', stderr: `${SENTENCE} rejected true\n` },
      { code: 70, stdout: 'queued', stderr: `${SENTENCE} thrown at once true\n` },
      { code: 70, stdout: '', stderr: `${SENTENCE} first true\n` },
      { code: 70, stdout: '', stderr: `${SENTENCE} first true\n${SENTENCE} second true\n` },
      { code: 70, stdout: '', stderr: `${SENTENCE} first true\n` },
    ],
  );
});

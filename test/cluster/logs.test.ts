/** The log of a container is rotated, cut into records and read as a kubelet does it. */
import t from 'tap';
import { type ContainerLog, createLog } from './kubelet/log.ts';

const PLAIN = { timestamps: false };

function readAll(log: ContainerLog): string {
  return log.read(PLAIN).toString();
}

/** Lines as in the recording: 30 MB in 30,000 lines. */
function line(number: number): string {
  return `${String(number).padStart(6, '0')} ${'x'.repeat(1000 - 8)}\n`;
}

t.test(
  'rotation: a GET has the file of now, a follow that was open crosses it without gap (kubernetes-facts.md 95a)',
  (t) => {
    const log = createLog(() => {});
    const follow = log.follow(PLAIN);
    let followed = 0;
    for (let number = 1; number <= 30_000; number++) {
      log.write('stdout', Buffer.from(line(number)));
      for (let piece = follow.next(); piece !== undefined; piece = follow.next()) {
        followed += 1;
        if (piece.toString() !== line(followed))
          t.fail(`line ${followed} was followed as ${piece.toString().slice(0, 8)}`);
      }
    }
    log.finish();
    t.equal(followed, 30_000);
    const kept = readAll(log).trim().split('\n');
    // 10 MiB are 10,486 lines: the file of now is the third.
    t.equal(kept[0], line(20_973).trim());
    t.equal(kept.at(-1), line(30_000).trim());
    t.equal(kept.length, 9028);
    t.equal(log.read({ timestamps: false, tailLines: 20_000 }).length, 9028 * 1000, 'no way back by tailLines');
    t.end();
  },
);

t.test('records: 16 KiB each, one stamp a line, tailLines counts records (kubernetes-facts.md 90, 91)', (t) => {
  const log = createLog(() => {});
  log.write('stdout', Buffer.from(`${'y'.repeat(40_000)}\nafter\n`));
  const stamped = log.read({ timestamps: true }).toString();
  t.equal(stamped.match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /g)?.length, 2);
  t.equal(log.read({ timestamps: false, tailLines: 2 }).toString(), `${'y'.repeat(40_000 - 2 * 16_384)}\nafter\n`);
  t.match(log.read({ timestamps: true, tailLines: 2 }).toString(), /^\S+Z y+\n\S+Z after\n$/, 'a stamp in mid line');
  t.equal(log.read({ timestamps: false, limitBytes: 10 }).toString(), 'yyyyyyyyyy');
  t.end();
});

t.test(
  'bytes are passed as they are, but for CR before LF; the last line may have no end (kubernetes-facts.md 87, 92)',
  (t) => {
    const written: string[] = [];
    const log = createLog((data) => written.push(data.toString('hex')));
    log.write('stdout', Buffer.from('61ff000d0a0d62', 'hex'));
    t.strictSame(written, ['61ff000a'], 'a line that is not over is not in the log yet');
    log.finish();
    t.strictSame(written, ['61ff000a', '0d62']);
    t.equal(log.read(PLAIN).toString('hex'), '61ff000a0d62');
    t.end();
  },
);

t.test('a log that the kubelet removed at its start has what comes after', (t) => {
  const log = createLog(() => {});
  log.write('stdout', Buffer.from('before\n'));
  log.drop();
  log.write('stdout', Buffer.from('after\n'));
  t.equal(readAll(log), 'after\n');
  t.end();
});

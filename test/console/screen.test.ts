import t from 'tap';
import { printable, screen, type View } from './screen.ts';

const view: View = {
  title: 'Job Launcher console  https://127.0.0.1:1',
  rows: [
    { id: 'a-0123456789', name: 'first', state: 'Running', detail: '' },
    { id: 'b-0123456789', name: 'second', state: 'Finished', detail: 'exit code 0' },
  ],
  selected: 1,
  pane: { kind: 'none' },
  note: 'submitted b-0123456789',
};
const keys = 'n new   o output   s stop   k kill   c cancel   i cluster   arrows select   esc';

t.test('without color: plain lines, the selected job marked', async (t) => {
  t.same(screen(view, { columns: 80, rows: 24, color: false }), [
    'Job Launcher console  https://127.0.0.1:1',
    '',
    '  a-0123456789                     Running   first',
    '> b-0123456789                     Finished  exit code 0',
    '',
    'submitted b-0123456789',
    `${keys}…`,
  ]);
});

t.test('with color: states are painted', async (t) => {
  const lines = screen(view, { columns: 80, rows: 24, color: true });
  t.match(lines[2], '\u001b[32mRunning\u001b[0m');
  t.match(lines[3], '\u001b[36mFinished\u001b[0m');
});

t.test('never higher or wider than the terminal, and the selected job stays in sight', async (t) => {
  const rows = Array.from({ length: 100 }, (_, i) => ({
    id: `job-${i}`,
    name: 'x'.repeat(300),
    state: 'Running',
    detail: '',
  }));
  const lines = Array.from({ length: 50 }, (_, i) => `output ${i}`);
  for (const [columns, height] of [
    [80, 24],
    [20, 8],
    [40, 5],
    [10, 3],
  ] as const) {
    const drawn = screen(
      { ...view, rows, selected: 60, pane: { kind: 'text', title: 'output', lines } },
      { columns, rows: height, color: false },
    );
    t.ok(drawn.length <= height, `${columns}x${height}: ${drawn.length} lines`);
    t.ok(
      drawn.every((line) => line.length <= columns),
      `${columns}x${height}: width`,
    );
  }
  const drawn = screen({ ...view, rows, selected: 60 }, { columns: 80, rows: 24, color: false });
  t.ok(drawn.some((line) => line.startsWith('> job-60 ')));
});

t.test('the newest lines of an output are shown, samples with their numbers', async (t) => {
  const lines = Array.from({ length: 50 }, (_, i) => `output ${i}`);
  const text = screen({ ...view, pane: { kind: 'text', title: 'x', lines } }, { columns: 80, rows: 24, color: false });
  t.ok(text.includes('output 49'));
  t.notOk(text.includes('output 0'));
  const menu = screen(
    { ...view, pane: { kind: 'samples', names: ['R', 'Py'] } },
    { columns: 80, rows: 24, color: false },
  );
  t.ok(menu.includes('  1  R') && menu.includes('  2  Py'));
});

t.test('what users write cannot write to the terminal', async (t) => {
  t.equal(printable('a\u001b[2Jb\n\u202ec'), 'a\\u001b[2Jb\\u000a\\u202ec');
  const [, , row] = screen(
    { ...view, rows: [{ id: 'x', name: '\u001b]0;owned\u0007', state: 'Running', detail: '' }] },
    { columns: 80, rows: 24, color: false },
  );
  t.notMatch(row, '\u001b');
});

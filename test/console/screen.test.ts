/** The screen fits every terminal, keeps what matters in sight, and shows what users wrote without obeying it. */
import t from 'tap';
import { type Pane, rowAfter, screen, scrolled, type Terminal, type View, wrapped } from './screen.ts';

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
const plain: Terminal = { columns: 80, rows: 24, color: false };
const keys = 'n new  o output  s stop  k kill  c cancel  i cluster  esc close  ? help  q quit';

/** As many jobs, and as many lines of output. */
const jobs = (count: number): View['rows'] =>
  Array.from({ length: count }, (_, i) => ({ id: `job-${i}`, name: 'x'.repeat(300), state: 'Running', detail: '' }));
const output = (count: number, first: number | 'newest' = 'newest', id = 'job-1'): Pane => ({
  kind: 'text',
  title: `output of ${id}`,
  lines: Array.from({ length: count }, (_, i) => `output ${i}`),
  first,
});

t.test('without color: plain lines, the selected job marked', async (t) => {
  t.same(screen(view, plain), [
    'Job Launcher console  https://127.0.0.1:1',
    '',
    '  a-0123456789                     Running   first',
    '> b-0123456789                     Finished  exit code 0',
    '',
    'submitted b-0123456789',
    keys,
  ]);
});

t.test('with color: states are painted', async (t) => {
  const lines = screen(view, { columns: 80, rows: 24, color: true });
  t.match(lines[2], '\u001b[32mRunning\u001b[0m');
  t.match(lines[3], '\u001b[36mFinished\u001b[0m');
});

t.test('a job with an exit code other than 0 is painted as failed', async (t) => {
  const failed = {
    ...view,
    rows: [{ id: 'c', name: 'third', state: 'Finished', detail: 'exit code 3', failed: true }],
  };
  t.match(screen(failed, { columns: 80, rows: 24, color: true })[2], '\u001b[31mFinished\u001b[0m');
});

t.test('the keys: all of them where they fit, how to leave everywhere', async (t) => {
  const last = (columns: number): string | undefined => screen(view, { columns, rows: 24, color: false }).at(-1);
  t.match(last(140), /^n new {3}enter details {3}o output/);
  t.equal(
    last(103),
    'n new   o output   s stop   k kill   c cancel   i cluster   arrows select   esc close   ? help   q quit',
  );
  t.equal(last(102), keys);
  t.equal(last(80), keys);
  t.equal(last(40), 'n o s k c i esc  ? help  q quit');
  t.equal(last(20), '? help  q quit');
  t.equal(last(10), 'q quit');
});

t.test('never higher or wider than the terminal, and its last line is the one of the keys', async (t) => {
  const panes: readonly Pane[] = [
    { kind: 'none' },
    { kind: 'samples', names: ['a', 'b', 'c', 'd'] },
    output(0),
    output(1),
    output(50),
    { kind: 'text', title: 'cluster info', lines: ['y'.repeat(300)], first: 0 },
  ];
  const notes = ['', 'done', 'why '.repeat(100)];
  const sizes = [
    [200, 60],
    [80, 24],
    [80, 12],
    [79, 11],
    [40, 8],
    [40, 5],
    [20, 4],
    [10, 3],
    [10, 2],
    [6, 1],
  ] as const;
  for (const [columns, rows] of sizes) {
    const wrong: string[] = [];
    for (const count of [0, 1, 12, 100]) {
      for (const pane of panes) {
        for (const note of notes) {
          const shown = { ...view, rows: jobs(count), selected: Math.floor(count / 2), pane, note };
          const lines = screen(shown, { columns, rows, color: false });
          if (lines.length > rows) wrong.push(`${lines.length} lines`);
          if (lines.some((line) => [...line].length > columns)) wrong.push('too wide');
          if (!lines.at(-1)?.endsWith('q quit')) wrong.push(`ends with ${lines.at(-1)}`);
        }
      }
    }
    t.same(wrong, [], `${columns}x${rows}`);
  }
});

t.test('the selected job stays in sight, however little room there is', async (t) => {
  const selected = (columns: number, rows: number, pane: Pane): boolean =>
    screen({ ...view, rows: jobs(100), selected: 60, pane, note: '' }, { columns, rows, color: false }).some((line) =>
      line.startsWith('> job-60 '),
    );
  t.ok(selected(80, 24, { kind: 'none' }));
  t.ok(selected(80, 24, output(50)));
  t.ok(selected(80, 12, output(50)));
  t.ok(selected(40, 8, output(50)));
  t.ok(selected(40, 3, { kind: 'none' }));
});

t.test('80x12 with an output: all there is room for', async (t) => {
  t.same(screen({ ...view, pane: output(50), note: '' }, { columns: 80, rows: 12, color: false }), [
    'Job Launcher console  https://127.0.0.1:1',
    '',
    '  a-0123456789                     Running   first',
    '> b-0123456789                     Finished  exit code 0',
    '',
    '-- output of job-1 --  48-50 of 50',
    'output 47',
    'output 48',
    'output 49',
    '',
    '',
    keys,
  ]);
});

t.test('40x8 with an output: no empty lines', async (t) => {
  t.same(screen({ ...view, pane: output(50) }, { columns: 40, rows: 8, color: false }), [
    'Job Launcher console  https://127.0.0.1…',
    '  a-0123456789     Running   first',
    '> b-0123456789     Finished  exit code 0',
    '-- output of job-1 --  49-50 of 50',
    'output 48',
    'output 49',
    'submitted b-0123456789',
    'n o s k c i esc  ? help  q quit',
  ]);
});

t.test('the newest lines of an output are shown, samples with their numbers', async (t) => {
  const text = screen({ ...view, pane: output(50) }, plain);
  t.ok(text.includes('output 49'));
  t.notOk(text.includes('output 0'));
  t.ok(text.includes('-- output of job-1 --  36-50 of 50'), 'the name of the job does not scroll away');
  const menu = screen({ ...view, pane: { kind: 'samples', names: ['R', 'Py'] } }, plain);
  t.ok(menu.includes('  1  R') && menu.includes('  2  Py'));
});

t.test('a text is turned page by page, and follows its end again at the end', async (t) => {
  const after = (first: number | 'newest', pages: number): unknown => {
    const pane = scrolled({ ...view, pane: output(50, first) }, plain, pages);
    return pane.kind === 'text' ? pane.first : pane;
  };
  t.equal(after('newest', -1), 20, '15 lines are seen at once');
  t.equal(after(20, -1), 5);
  t.equal(after(5, -1), 0);
  t.equal(after(0, 1), 15);
  t.equal(after(20, 1), 'newest');
  t.same(scrolled({ ...view, pane: { kind: 'none' } }, plain, 1), { kind: 'none' });
  const lines = screen({ ...view, pane: output(50, 15) }, plain);
  t.same(lines.slice(5, 7), ['-- output of job-1 --  16-30 of 50', 'output 15']);
});

t.test('a long message takes the lines that it needs, as far as there are any', async (t) => {
  const note =
    'Error 8: Job rstudio-session-jane-project-churn-0a1b2c3d4e is Finished: kill is for jobs that are Running or Suspended.';
  t.same(screen({ ...view, note }, plain).slice(-3), [
    'Error 8: Job rstudio-session-jane-project-churn-0a1b2c3d4e is Finished: kill is',
    'for jobs that are Running or Suspended.',
    keys,
  ]);
  t.same(screen({ ...view, note }, { columns: 40, rows: 8, color: false }).slice(-3), [
    'Error 8: Job rstudio-session-jane-projec',
    't-churn-0a1b2c3d4e is Finished: kill is…',
    'n o s k c i esc  ? help  q quit',
  ]);
});

t.test('the end of a long id shows which job wrote the output', async (t) => {
  const pane = output(50, 'newest', 'rstudio-session-jane-project-churn-0a1b2c3d4e');
  const title = (columns: number) => screen({ ...view, pane }, { columns, rows: 24, color: false })[5];
  t.equal(title(80), '-- output of rstudio-session-jane-project-churn-0a1b2c3d4e --  36-50 of 50');
  t.equal(title(40), '-- output of …0a1b2c3d4e --  36-50 of 50');
});

t.test('text is broken between words, or where it must be', async (t) => {
  t.same(wrapped('', 10), ['']);
  t.same(wrapped('one two three', 10), ['one two', 'three']);
  t.same(wrapped('0123456789abc', 10), ['0123456789', 'abc']);
  t.same(wrapped('one 0123456789', 10), ['one 012345', '6789']);
});

t.test('the end of a long id stays: it distinguishes jobs of one name', async (t) => {
  const id = 'rstudio-session-jane-project-churn-0a1b2c3d4e';
  const rows = [{ id, name: 'n', state: 'Running', detail: 'd' }];
  t.equal(screen({ ...view, rows, selected: 0 }, plain)[2], '> rstudio-session…churn-0a1b2c3d4e Running   d');
  t.equal(
    screen({ ...view, rows, selected: 0 }, { columns: 40, rows: 24, color: false })[2],
    '> rstudio…1b2c3d4e Running   d',
  );
});

t.test('a reason belongs to its state', async (t) => {
  const status = (status: string, statusMessage: string) => ({ id: 'a', name: 'first', status, statusMessage });
  const pending = rowAfter(undefined, status('Pending', 'Pulling image "busybox"'));
  t.same(pending, { id: 'a', name: 'first', state: 'Pending', detail: 'Pulling image "busybox"' });
  t.same(rowAfter(pending, status('Pending', '')), pending, 'the same state, said again');
  t.same(rowAfter(pending, status('Running', '')), { id: 'a', name: 'first', state: 'Running', detail: '' });
});

t.test('what users write cannot write to the terminal', async (t) => {
  const rows = [{ id: 'x\u202e', name: '\u001b]0;owned\u0007', state: 'Running', detail: '' }];
  const lines = screen(
    { ...view, rows, pane: { kind: 'text', title: 't', lines: ['a\u001b[2J\u200b'], first: 0 } },
    plain,
  );
  t.equal(lines[2], '  x\\u202e                          Running   \\u001b]0;owned\\u0007');
  t.equal(lines[5], 'a\\u001b[2J\\u200b');
});

/** The console: what is known of the jobs, what keys do with it. How it looks is screen.ts. */
import type { Readable, Writable } from 'node:stream';
import type { Launcher } from '../support/launcher.ts';
import { clusterLines, jobLines } from './details.ts';
import { keysOf } from './keys.ts';
import { samples } from './samples.ts';
import { type Pane, type Row, rowAfter, screen, scrolled, type Terminal, type View } from './screen.ts';

const USER = 'jane';
const KEPT_LINES = 500;
const KEPT_OF_LINE = 2_000;
const REDRAW_MS = 50;

const NO_PANE: Pane = { kind: 'none' };
const HELP = [
  'n          new job: shows the samples, a number submits one of them',
  'enter      details of the selected job, with its complete reason',
  'o          output of the selected job, as it comes',
  's, k, c    stop the selected job (TERM), kill it, cancel it while it is Pending',
  'i          what the plugin says of the cluster',
  'arrows     select another job; an open output changes with it, as with a new job',
  'PgUp PgDn  a page of what is open, back and on (b and space do the same)',
  'esc        closes what is open',
  'q, Ctrl-C  ends jobs, plugin and cluster, and leaves',
];

/** A terminal's input, in short. */
type Input = Readable & { readonly setRawMode: (mode: boolean) => unknown };
/** A terminal, with its size if it knows that. */
type Output = Writable & { readonly columns?: number; readonly rows?: number };

/**
 * Shows the jobs with their live states and obeys keys, until `q`, Ctrl-C, the end of the input, or a reason to end. `moreOf`:
 * lines of a job that the launcher's protocol does not have.
 */
export async function runConsole(
  launcher: Launcher,
  title: string,
  input: Input,
  output: Output,
  reasonToEnd: Promise<string>,
  moreOf: (id: string) => readonly string[] = () => [],
): Promise<void> {
  const rows = new Map<string, Row>();
  const color = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '';
  let selected = '';
  let pane = NO_PANE;
  let note = '';
  /** The job with its output in the pane. */
  let followed: { readonly id: string; readonly cancel: () => void } | undefined;
  /** The samples took the place of an output, which is that of the new job then. */
  let outputNext = false;
  let redraw: NodeJS.Timeout | undefined;
  let left = false;
  const quit = Promise.withResolvers<string>();
  const leave = (): void => quit.resolve('');

  const selectedIndex = (): number => Math.max(0, [...rows.keys()].indexOf(selected));
  const current = (): Row | undefined => [...rows.values()][selectedIndex()];
  const view = (): View => ({ title, rows: [...rows.values()], selected: selectedIndex(), pane, note });
  const terminal = (): Terminal => ({ columns: output.columns || 80, rows: output.rows || 24, color });

  function draw(): void {
    if (left) return;
    redraw ??= setTimeout(() => {
      redraw = undefined;
      const lines = screen(view(), terminal());
      output.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`);
    }, REDRAW_MS);
  }

  function say(text: string): void {
    note = text;
    draw();
  }
  const sayError = (error: Error): void => say(error.message);

  const states = launcher.status(
    USER,
    '*',
    (status) => {
      rows.set(status.id, rowAfter(rows.get(status.id), status));
      draw();
      if (['Finished', 'Killed', 'Failed'].includes(status.status)) showEnd(status.id).catch(sayError);
    },
    sayError,
  );

  async function showEnd(id: string): Promise<void> {
    const job = await launcher.job(USER, id);
    const row = rows.get(id);
    if (row === undefined || job.exitCode === undefined) return;
    const detail = `exit code ${job.exitCode}  ${job.statusMessage ?? ''}`.trimEnd();
    rows.set(id, { ...row, detail, failed: job.exitCode !== 0 });
    draw();
  }

  /** Puts something else into the pane; an output that was followed there is not any more. */
  function open(next: Pane): void {
    outputNext = next.kind === 'samples' && (outputNext || followed !== undefined);
    followed?.cancel();
    followed = undefined;
    pane = next;
    draw();
  }

  function follow(id: string): void {
    const lines: string[] = [''];
    open({ kind: 'text', title: `output of ${id}`, lines, first: 'newest' });
    const stream = launcher.output(USER, id, (text) => {
      const [rest = '', ...more] = text.split('\n');
      lines.push(`${lines.pop()}${rest}`.slice(-KEPT_OF_LINE), ...more);
      lines.splice(0, lines.length - KEPT_LINES);
      draw();
    });
    const mine = { id, cancel: stream.cancel };
    followed = mine;
    stream.completed.then(
      () => {
        if (followed !== mine) return;
        // It ended by itself: there is nothing to cancel.
        followed = { id, cancel: () => undefined };
        lines.push('-- end --');
        draw();
      },
      (error: Error) => {
        if (followed === mine) sayError(error);
      },
    );
  }

  function showOutput(): void {
    const row = current();
    if (row === undefined) say('no job is selected');
    else follow(row.id);
  }

  function select(step: number): void {
    const row = [...rows.values()][selectedIndex() + step];
    if (row === undefined) return;
    selected = row.id;
    if (followed !== undefined) follow(row.id);
  }

  async function control(operation: 'stop' | 'kill' | 'cancel'): Promise<void> {
    const row = current();
    if (row === undefined) return say('no job is selected');
    const answer = await launcher.control(USER, row.id, operation);
    say(answer.complete ? `${operation} of ${row.id} is done` : `${operation} failed: ${answer.message}`);
  }

  async function showDetails(): Promise<void> {
    const row = current();
    if (row === undefined) return say('no job is selected');
    const lines = [...jobLines(await launcher.job(USER, row.id)), ...moreOf(row.id)];
    open({ kind: 'text', title: `details of ${row.id}`, lines, first: 0 });
  }

  async function showCluster(): Promise<void> {
    const lines = clusterLines(await launcher.clusterInfo(USER));
    open({ kind: 'text', title: 'what the cluster offers', lines, first: 0 });
  }

  async function submit(number: string): Promise<void> {
    const chosen = samples()[Number(number) - 1];
    if (chosen === undefined) return say(`there is no job ${number}: press 1 to ${samples().length}, or esc`);
    const follows = outputNext;
    open(NO_PANE);
    const { id } = await launcher.submit(USER, chosen.job);
    selected = id;
    if (follows && pane === NO_PANE) follow(id);
    say(`submitted ${id}`);
  }

  const turn = (pages: number): void => {
    pane = scrolled(view(), terminal(), pages);
  };

  const actions: Readonly<Record<string, () => unknown>> = {
    n: () => open({ kind: 'samples', names: samples().map(({ job }) => job.name) }),
    enter: showDetails,
    o: showOutput,
    s: () => control('stop'),
    k: () => control('kill'),
    c: () => control('cancel'),
    i: showCluster,
    '?': () => open({ kind: 'text', title: 'keys', lines: HELP, first: 0 }),
    up: () => select(-1),
    down: () => select(1),
    'page up': () => turn(-1),
    'page down': () => turn(1),
    escape: () => open(NO_PANE),
    q: leave,
  };

  async function press(key: string): Promise<void> {
    note = '';
    draw();
    if (pane.kind === 'samples' && /^\d$/.test(key)) return submit(key);
    const action = actions[key];
    if (action === undefined) return say(`${key} does nothing: press ? for the keys`);
    await action();
  }

  const take = (text: string): void => {
    for (const key of keysOf(text)) press(key).catch(sayError);
  };
  output.write('\u001b[?1049h\u001b[?25l\u001b[2J');
  input.setEncoding('utf8');
  input.setRawMode(true);
  input.on('data', take);
  input.on('end', leave);
  output.on('resize', draw);
  draw();
  const why = await Promise.race([quit.promise, reasonToEnd]);
  left = true;
  followed?.cancel();
  states.cancel();
  clearTimeout(redraw);
  output.removeListener('resize', draw);
  input.removeListener('data', take);
  input.removeListener('end', leave);
  input.setRawMode(false);
  input.pause();
  output.write(`\u001b[?25h\u001b[?1049l${why === '' ? '' : `${why}\n`}`);
}

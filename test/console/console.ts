import { emitKeypressEvents } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import type { EndingStream, Launcher } from '../support/launcher.ts';
import { samples } from './samples.ts';
import { type Pane, type Row, screen } from './screen.ts';

const USER = 'jane';
const KEPT_LINES = 500;
const REDRAW_MS = 50;

interface Key {
  readonly name?: string;
  readonly ctrl?: boolean;
}

/** Shows the jobs with their live states and obeys keys, until `q`, Ctrl-C or the end of the plugin. */
export async function runConsole(
  launcher: Launcher,
  title: string,
  input: ReadStream,
  output: WriteStream,
  pluginEnded: Promise<string>,
): Promise<void> {
  const rows = new Map<string, Row>();
  const color = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '';
  let selected = 0;
  let pane: Pane = { kind: 'none' };
  let note = '';
  let followed: EndingStream | undefined;
  let redraw: NodeJS.Timeout | undefined;

  const draw = (): void => {
    redraw ??= setTimeout(() => {
      redraw = undefined;
      const view = { title, rows: [...rows.values()], selected, pane, note };
      const lines = screen(view, { columns: output.columns || 80, rows: output.rows || 24, color });
      output.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`);
    }, REDRAW_MS);
  };
  const say = (text: string): void => {
    note = text;
    draw();
  };
  const current = (): Row | undefined => [...rows.values()][selected];

  const states = launcher.status(USER, '*', (status) => {
    rows.set(status.id, {
      id: status.id,
      name: status.name,
      state: status.status,
      detail: status.statusMessage || rows.get(status.id)?.detail || status.name,
    });
    draw();
    if (['Finished', 'Killed', 'Failed'].includes(status.status)) void showEnd(status.id);
  });

  async function showEnd(id: string): Promise<void> {
    const job = await launcher.job(USER, id);
    const row = rows.get(id);
    if (row === undefined || job.exitCode === undefined) return;
    rows.set(id, { ...row, detail: `exit code ${job.exitCode}  ${job.statusMessage ?? ''}`.trimEnd() });
    draw();
  }

  function unfollow(): void {
    followed?.cancel();
    followed = undefined;
  }

  function follow(row: Row): void {
    unfollow();
    const lines: string[] = [''];
    const title = `output of ${row.id}`;
    pane = { kind: 'text', title, lines };
    followed = launcher.output(USER, row.id, (text) => {
      const pieces = text.split('\n');
      lines[lines.length - 1] += pieces[0] ?? '';
      lines.push(...pieces.slice(1));
      lines.splice(0, lines.length - KEPT_LINES);
      draw();
    });
    followed.completed.then(
      () => {
        followed = undefined;
        lines.push('-- end --');
        draw();
      },
      (error: Error) => say(error.message),
    );
    draw();
  }

  async function control(operation: 'stop' | 'kill' | 'cancel'): Promise<void> {
    const row = current();
    if (row === undefined) return say('no job is selected');
    const answer = await launcher.control(USER, row.id, operation);
    say(answer.complete ? `${operation} of ${row.id} is done` : `${operation} failed: ${answer.message}`);
  }

  async function showCluster(): Promise<void> {
    const info = await launcher.clusterInfo(USER);
    const members = Object.entries(info).filter(([name]) => !['messageType', 'requestId', 'responseId'].includes(name));
    const lines = members.map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    pane = { kind: 'text', title: 'cluster info', lines };
    draw();
  }

  async function submit(index: number): Promise<void> {
    const chosen = samples()[index];
    if (chosen === undefined) return;
    pane = { kind: 'none' };
    const job = await launcher.submit(USER, chosen.job);
    say(`submitted ${job.id}`);
    selected = [...rows.keys()].indexOf(job.id);
    if (selected < 0) selected = Math.max(0, rows.size - 1);
  }

  async function press(text: string, key: Key): Promise<boolean> {
    if (key.name === 'q' || (key.ctrl && key.name === 'c')) return true;
    if (pane.kind === 'samples' && /^[1-9]$/.test(text)) await submit(Number(text) - 1);
    else if (key.name === 'up') selected = Math.max(0, selected - 1);
    else if (key.name === 'down') selected = Math.min(rows.size - 1, selected + 1);
    else if (key.name === 'escape') {
      unfollow();
      pane = { kind: 'none' };
    } else if (key.name === 'n') pane = { kind: 'samples', names: samples().map(({ job }) => job.name) };
    else if (key.name === 'o') {
      const row = current();
      if (row !== undefined) follow(row);
    } else if (key.name === 's') await control('stop');
    else if (key.name === 'k') await control('kill');
    else if (key.name === 'c') await control('cancel');
    else if (key.name === 'i') await showCluster();
    return false;
  }

  output.write('\u001b[?1049h\u001b[?25l\u001b[2J');
  emitKeypressEvents(input);
  input.setRawMode(true);
  input.resume();
  output.on('resize', draw);
  draw();
  const quit = new Promise<string>((resolve) => {
    input.on('keypress', (text: string | undefined, key: Key) => {
      press(text ?? '', key).then(
        (leave) => (leave ? resolve('') : draw()),
        (error: Error) => say(error.message),
      );
    });
  });
  const why = await Promise.race([quit, pluginEnded]);
  unfollow();
  states.cancel();
  clearTimeout(redraw);
  redraw = undefined;
  output.removeListener('resize', draw);
  input.setRawMode(false);
  input.pause();
  output.write(`\u001b[?25h\u001b[?1049l${why === '' ? '' : `${why}\n`}`);
}

/**
 * Each key does what it says, what is shown is of now, and after `q` the terminal is as it was; launcher and terminal
 * are played.
 */
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import type { Launcher, StatusFrame } from '../support/launcher.ts';
import { runConsole } from './console.ts';
import { keysOf } from './keys.ts';

const notAsked = (): never => {
  throw new Error('the console does not ask for this');
};

interface Stage {
  readonly press: (keys: string) => void;
  readonly status: (id: string, status: string, statusMessage?: string) => void;
  /** Writes into the output that is followed, or ends it. */
  readonly print: (text: string) => void;
  readonly failOutput: (message: string) => void;
  /** Resolves when the screen, as it was drawn last and without its colors, has this text. */
  readonly shows: (text: string) => Promise<void>;
  readonly shown: () => string;
  /** All that was written to the terminal. */
  readonly written: () => string;
  readonly asked: readonly string[];
  readonly end: (why: string) => void;
  readonly left: Promise<void>;
}

function stage(t: Test): Stage {
  const input = Object.assign(new PassThrough(), { setRawMode: () => undefined });
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { columns: 80, rows: 24 });
  const asked: string[] = [];
  let written = '';
  const looking = new Set<() => void>();
  output.on('data', (text: string) => {
    written += text;
    for (const look of looking) look();
  });
  const shown = (): string => written.slice(written.lastIndexOf('\u001b[H')).replaceAll(/\u001b\[(K|\d+m)/g, '');
  let onStatus: (status: StatusFrame) => void = notAsked;
  let onText: (text: string) => void = notAsked;
  let ending = Promise.withResolvers<number>();
  const launcher: Launcher = {
    request: notAsked,
    bootstrap: notAsked,
    submit: async (_user, job) => {
      asked.push(`submit ${job['name']}`);
      return { id: 'new-1', name: 'n', user: 'jane', status: 'Pending' };
    },
    jobs: notAsked,
    network: notAsked,
    usage: notAsked,
    job: async (user, id) => ({ id, name: 'n', user, status: 'Finished', exitCode: 3, statusMessage: 'ended badly' }),
    control: async (_user, id, operation) => {
      asked.push(`${operation} ${id}`);
      return { complete: false, message: 'it is not there' };
    },
    clusterInfo: async () => ({
      messageType: 9,
      requestId: 1,
      responseId: 2,
      supportsContainers: true,
      images: ['r-session:4.5'],
      defaultImage: 'r-session:4.5',
      allowUnknownImages: false,
      resourceLimits: [{ type: 'cpuCount', defaultValue: '1', maxValue: '2' }],
      placementConstraints: [{ name: 'region', value: 'us' }],
      resourceProfiles: [{ name: 'small', displayName: 'Small' }],
    }),
    status: (_user, _id, listener) => {
      onStatus = listener;
      return { cancel: () => asked.push('cancel status') };
    },
    output: (_user, id, listener) => {
      asked.push(`output ${id}`);
      onText = listener;
      ending = Promise.withResolvers<number>();
      return { cancel: () => asked.push(`cancel output ${id}`), completed: ending.promise };
    },
  };
  const reason = Promise.withResolvers<string>();
  const left = runConsole(launcher, 'title', input, output, reason.promise, (id) => [`template of ${id}`]);
  t.teardown(() => {
    reason.resolve('');
    return left;
  });
  return {
    press: (keys) => input.write(keys),
    status: (id, status, statusMessage = '') =>
      onStatus({ id, name: `name of ${id}`, status, statusMessage, statusCode: '', seqId: 1 }),
    print: (text) => onText(text),
    failOutput: (message) => ending.reject(new Error(message)),
    shows: (text) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!shown().includes(text)) return;
          looking.delete(look);
          resolve();
        };
        looking.add(look);
        look();
      }),
    shown,
    written: () => written,
    asked,
    end: reason.resolve,
    left,
  };
}

t.test('q while an output is followed: the terminal is as it was, and nothing is drawn after that', async (t) => {
  const { press, status, print, failOutput, shows, written, asked, left } = stage(t);
  status('a-1', 'Running');
  press('o');
  await shows('-- output of a-1 --');
  print('first line\n');
  await shows('first line');
  press('q');
  await left;
  t.match(written(), /\u001b\[\?25h\u001b\[\?1049l$/);
  t.strictSame(asked, ['output a-1', 'cancel output a-1', 'cancel status']);
  const before = written();
  status('a-1', 'Finished');
  print('more');
  failOutput('the stream ended: the plugin ended with exit code 0: ');
  await new Promise((resolve) => setTimeout(resolve, 120));
  t.equal(written(), before);
});

t.test('a failed output stream is reported, a closed one is not', async (t) => {
  const { press, status, failOutput, shows, shown } = stage(t);
  status('a-1', 'Running');
  press('o');
  await shows('-- output of a-1 --');
  failOutput('Error 8: deleted with its pod');
  await shows('Error 8: deleted with its pod');
  press('o\u001b');
  failOutput('nobody looks at this');
  press('?');
  await shows('-- keys --');
  t.notMatch(shown(), 'nobody looks at this');
});

t.test('an open output changes with the selection', async (t) => {
  const { press, status, shows, asked } = stage(t);
  status('a-1', 'Running');
  status('b-2', 'Running');
  press('o');
  await shows('-- output of a-1 --');
  press('\u001b[B');
  await shows('-- output of b-2 --');
  press('\u001b[B');
  press('\u001b');
  await shows('> b-2');
  t.strictSame(asked, ['output a-1', 'cancel output a-1', 'output b-2', 'cancel output b-2']);
});

t.test('an open output is that of the new job after a submit, and only an open one', async (t) => {
  const { press, status, shows, asked } = stage(t);
  status('a-1', 'Running');
  press('n1');
  await shows('submitted new-1');
  status('new-1', 'Pending');
  press('o');
  await shows('-- output of new-1 --');
  press('\u001b[A');
  await shows('-- output of a-1 --');
  press('nn2');
  await shows('submitted new-1');
  await shows('-- output of new-1 --');
  t.strictSame(asked, [
    'submit train_model.py',
    'output new-1',
    'cancel output new-1',
    'output a-1',
    'cancel output a-1',
    'submit RStudio Session (jane) - project churn',
    'output new-1',
  ]);
});

t.test('a new state has no reason of the old one; an end has its exit code', async (t) => {
  const { status, shows } = stage(t);
  status('a-1', 'Pending', 'Pulling image "busybox"');
  await shows('Pending   Pulling image "busybox"');
  status('a-1', 'Running');
  await shows('Running   name of a-1');
  status('a-1', 'Finished');
  await shows('exit code 3');
});

t.test('keys are what a terminal sends for them', async (t) => {
  t.same(keysOf('n'), ['n']);
  t.same(keysOf('\u001b'), ['escape']);
  t.same(keysOf('\u001bn'), ['escape', 'n'], 'an escape swallows no key');
  t.same(keysOf('\u001b[A\u001b[B\u001bOA\u001bOB'), ['up', 'down', 'up', 'down']);
  t.same(keysOf('\u001b[5~\u001b[6~b '), ['page up', 'page down', 'page up', 'page down']);
  t.same(keysOf('\u0003'), ['q']);
  t.same(keysOf('h?'), ['?', '?']);
  t.same(keysOf('\u001b[H\u001bOF\u001b[D\r\t\u007f'), ['home', 'end', 'left', 'enter', 'tab', 'backspace']);
  t.same(keysOf('\u0001\u001a\u001b[15~ä'), ['ctrl-a', 'ctrl-z', 'that key', 'ä']);
});

t.test('keys that do nothing say so, and the next key takes the sentence away', async (t) => {
  const { press, status, shows, shown } = stage(t);
  for (const [key, name] of [
    ['x', 'x'],
    ['\t', 'tab'],
    ['\u001b[H', 'home'],
    ['\u001b[D', 'left'],
    ['\u0001', 'ctrl-a'],
    ['\u001b[15~', 'that key'],
  ] as const) {
    press(key);
    await shows(`\n${name} does nothing: press ? for the keys`);
  }
  press('o');
  await shows('no job is selected');
  press('n');
  await shows('Which job? Press its number:');
  press('9');
  await shows('there is no job 9: press 1 to 8, or esc');
  press('h');
  await shows('ends jobs, plugin and cluster, and leaves');
  t.notMatch(shown(), 'there is no job 9');
  status('a-1', 'Running');
  press('k');
  await shows('kill failed: it is not there');
});

t.test('the cluster, a field a line', async (t) => {
  const { press, shows, shown } = stage(t);
  press('i');
  await shows('-- what the cluster offers --');
  t.match(
    shown(),
    [
      '-- what the cluster offers --',
      'Jobs run in containers: yes.',
      'Images that are offered: r-session:4.5.',
      'The default image is r-session:4.5.',
      'Other images are refused.',
      'cpuCount: 1 by default, at most 2',
      'Placement constraints: region=us.',
      'Resource profiles: Small.',
    ].join('\r\n'),
  );
});

t.test('the reason to end stays on the screen', async (t) => {
  const { end, written, left } = stage(t);
  end('the plugin ended with exit code 1');
  await left;
  t.match(written(), /\u001b\[\?1049lthe plugin ended with exit code 1\n$/);
});

t.test('enter shows the details of the selected job', async (t) => {
  const { press, status, shows } = stage(t);
  status('a-1', 'Running');
  await shows('a-1');
  press('\r');
  await shows('-- details of a-1 --');
  await shows('statusMessage: "ended badly"\r\nexitCode: 3\r\n');
  await shows('template of a-1\r\n');
});

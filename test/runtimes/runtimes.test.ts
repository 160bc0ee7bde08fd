/** The executable, Node.js and Deno hold one conversation with the same frames, but for ids and times. */
import { execFile } from 'node:child_process';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { startCluster } from '../cluster/cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { BUNDLE, EXECUTABLE, SOURCES, startPlugin, withEnvironment, writeConfig } from '../support/plugin.ts';
import { holdConversation, type Transcript } from './conversation.ts';

const bin = resolve(import.meta.dirname, '../../node_modules/.bin');
const node = process.execPath;
const deno = join(bin, 'deno');
const isRoot = process.getuid?.() === 0;

/**
 * Deno cannot drop root, so it starts as another user, who sees the checkout in /mnt: its own path may be closed to others.
 * The plugin refuses capabilities that would open it.
 */
const AS_NOBODY = 'mount --bind "$0" /mnt && cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"';
const root = resolve(import.meta.dirname, '../..');
const visible = (path: string): string => (isRoot ? join('/mnt', relative(root, path)) : path);
const underDeno = (program: string): readonly string[] => [
  ...(isRoot ? ['unshare', '--mount', 'sh', '-c', AS_NOBODY, root] : []),
  visible(deno),
  'run',
  '--allow-all',
  '--no-lock',
  visible(program),
];
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  executable: [EXECUTABLE],
  'Node.js, sources': [node, SOURCES],
  'Node.js, bundle': [node, BUNDLE],
  'Deno, sources': underDeno(SOURCES),
  'Deno, bundle': underDeno(BUNDLE),
};

t.test('one conversation, five ways', async (t) => {
  const cluster = await startCluster();
  t.teardown(() => cluster.close());
  const converse = async ([name, command]: readonly [string, readonly string[]]): Promise<Transcript> => {
    const directory = writeConfig({
      options: {
        'api-url': cluster.url,
        'auth-token': cluster.token,
        'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
        'kubernetes-namespace': cluster.namespace,
      },
    });
    if (command[0] === 'unshare') await promisify(execFile)('chown', ['-R', '65534', directory.path]);
    const env = { PATH: '/usr/bin:/bin', HOME: directory.path, DENO_NO_UPDATE_CHECK: '1' };
    const plugin = await startPlugin({ directory, command, env });
    t.teardown(plugin.close);
    const transcript = await holdConversation(createLauncher(plugin.wire), `twin-${name.replace(/\W+/g, '-')}`);
    const exit = await plugin.close();
    t.strictSame({ name, ...exit, stderr: plugin.stderr() }, { name, code: 0, signal: null, stderr: '' });
    return transcript;
  };
  const [first, ...others] = await Promise.all(Object.entries(RUNTIMES).map(converse));
  const said = new Map(first);
  t.match(said.get('output'), 'grüezi\nno newline é');
  t.match(said.get('job'), { id: 'JOB-0', status: 'Finished', exitCode: 3 });
  t.match(said.get('stopped job'), { id: 'JOB-1', status: 'Finished', exitCode: 143 });
  t.match(said.get('unknown message'), /^Error 1: /);
  for (const [index, transcript] of others.entries()) {
    t.strictSame(transcript, first, Object.keys(RUNTIMES)[index + 1] ?? '');
  }
});

t.test('Deno refuses root', { skip: isRoot ? false : 'only for root' }, async (t) => {
  const starting = (env: Readonly<Record<string, string>>) => {
    const [program, args] = withEnvironment(env, [
      deno,
      'run',
      '--allow-all',
      '--no-lock',
      SOURCES,
      '--api-url=http://127.0.0.1:9',
    ]);
    return promisify(execFile)(program, args).catch((error) => error);
  };
  t.match(await starting({ DENO_NO_UPDATE_CHECK: '1' }), {
    code: 1,
    stderr:
      'rstudio-kubernetes-launcher: refusing to run as root: this JavaScript runtime cannot replace its process (process.execve)\n',
  });
});

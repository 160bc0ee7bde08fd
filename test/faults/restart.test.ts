/** The executable goes on when its token is replaced, and reports each state once when the API server restarts. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { deleteObject } from '../cluster/api/deletion.ts';
import { JOBS } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { createLauncher } from '../support/launcher.ts';
import { startPlugin } from '../support/plugin.ts';
import { writeToken } from './instance.ts';
import { createLedger, disorder, isEnd } from './ledger.ts';

const USER = 'anna';
const image = 'busybox';
const LATEST = AbortSignal.timeout(100_000);

async function setUp(t: Test, options: Readonly<Record<string, string>> = {}) {
  const cluster = await startCluster({ speed: 50, nodes: 3, bookmarkMs: 500 });
  const directory = t.testdir({});
  chmodSync(directory, 0o755);
  const tokenFile = join(directory, 'token');
  writeToken(tokenFile, cluster.token);
  const plugin = await startPlugin({
    options: {
      'api-url': cluster.url,
      'auth-token-path': tokenFile,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'kubernetes-namespace': cluster.namespace,
      'fetch-limit': '200',
      ...options,
    },
    files: { 'launcher.kubernetes.profiles.conf': '[*]\nimage-pull-policy=IfNotPresent\n' },
  });
  const launcher = createLauncher(plugin.wire);
  t.teardown(async () => {
    await plugin.close();
    await cluster.close();
  });
  await launcher.bootstrap();
  const ledger = createLedger();
  launcher.status('*', '*', ledger.take);
  await launcher.jobs('*');
  return { cluster, plugin, launcher, ledger, tokenFile };
}

t.test(
  'given a token that is replaced while the old one is refused, everything goes on with the new one',
  async (t) => {
    const { cluster, plugin, launcher, ledger, tokenFile } = await setUp(t);
    const before = await launcher.submit(USER, { name: 'before', container: { image }, command: 'sleep 2; exit 3' });
    await ledger.until(before.id, ({ status }) => status === 'Running', LATEST);
    const token = cluster.rotateToken();
    cluster.endWatches();
    await t.rejects(
      launcher.submit(USER, { name: 'refused', container: { image }, command: 'true' }),
      { message: /rejected the token/ },
      'nothing but the old token is there',
    );
    writeToken(tokenFile, token);
    const after = await launcher.submit(USER, { name: 'after', container: { image }, command: 'echo well; exit 4' });
    t.match(await ledger.until(after.id, isEnd, LATEST), { status: 'Finished' });
    t.match(await ledger.until(before.id, isEnd, LATEST), { status: 'Finished' }, 'watched with the new token');
    t.equal((await launcher.job(USER, before.id)).exitCode, 3);
    let text = '';
    await launcher.output(USER, after.id, (piece) => {
      text += piece;
    }).completed;
    t.equal(text, 'well\n');
    t.equal(cluster.store.list(JOBS).length, 2, 'the refused one was not made');
    t.ok([cluster.token, token].every((secret) => !plugin.log().includes(secret)));
  },
);

t.test(
  'given a thousand jobs and an API server that restarts, all states are right and none is reported twice',
  async (t) => {
    const { cluster, launcher, ledger } = await setUp(t);
    const ids: string[] = [];
    // A submit has 30 s. Fifty at a time have them also on a busy host.
    while (ids.length < 1_000) {
      const accepted = Array.from({ length: 50 }, (_, index) =>
        launcher.submit(USER, {
          name: `job${ids.length + index}`,
          container: { image },
          // Most wait for a node that there is not.
          ...(ids.length < 950 ? { host: 'no-such-node', command: 'true' } : { command: 'sleep 5; exit 5' }),
        }),
      );
      ids.push(...(await Promise.all(accepted)).map(({ id }) => id));
    }
    t.equal(new Set(ids).size, 1_000);
    const [deleted, waiting, running] = [ids.slice(0, 50), ids.slice(50, 950), ids.slice(950)];
    await Promise.all(running.map((id) => ledger.until(id, ({ status }) => status === 'Running', LATEST)));
    await eventually(() => ids.every((id) => ledger.frames(id).length > 0));

    const requests = (from: number) => cluster.journal.requests.slice(from).filter(({ user }) => user !== '');
    const isList = ({ method, path }: { method: string; path: string }): boolean =>
      method === 'GET' && /\/(jobs|pods)\?/.test(path) && !path.includes('watch=true') && !path.includes('job-name');
    const isWatch = ({ path }: { path: string }): boolean => /\/(jobs|pods)\?.*watch=true/.test(path);
    const told = (some: readonly string[]): number => some.reduce((sum, id) => sum + ledger.frames(id).length, 0);

    let from = cluster.journal.requests.length;
    await sleep(500);
    // Those that run may end meanwhile.
    const unchanged = ids.slice(0, 960);
    let before = told(unchanged);
    await cluster.restartApi({ history: 'kept', downMs: 300 });
    await eventually(() => requests(from).filter((one) => isWatch(one)).length >= 2);
    await sleep(1_200);
    t.strictSame(requests(from).filter(isList), [], 'with its history kept, nothing is listed');
    t.equal(told(unchanged), before, 'and there is nothing to report');

    from = cluster.journal.requests.length;
    before = told(waiting);
    await cluster.stopApi('cut');
    for (const id of deleted) {
      const job = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === id);
      if (job !== undefined) deleteObject(cluster.store, JOBS, job, { propagationPolicy: 'Background' });
    }
    cluster.compact();
    await cluster.startApi();
    for (const id of deleted) {
      t.match(await ledger.until(id, isEnd, LATEST), { status: 'Canceled', statusCode: 'Deleted' });
    }
    for (const id of running) t.match(await ledger.until(id, isEnd, LATEST), { status: 'Finished' });
    t.ok(requests(from).some(isList), 'with its history lost, everything is listed');
    t.equal(told(waiting), before, 'only changed states are reported');
    t.strictSame(
      ids.map((id) => disorder(ledger.frames(id), false)).filter((wrong) => wrong !== ''),
      [],
    );
    const listed = await launcher.jobs('*');
    t.equal(listed.length, 950);
    t.equal(listed.filter(({ status }) => status === 'Pending').length, 900);
    t.equal(listed.filter(({ status, exitCode }) => status === 'Finished' && exitCode === 5).length, 50);
  },
);

/** The plugin in a Workbench pod, as root and as uid 999, with the permissions that the chart grants. */
import { execFile, spawnSync } from 'node:child_process';
import t from 'tap';
import { chartRules } from '../cluster/api/access.ts';
import { startCluster } from '../cluster/cluster.ts';
import { createCertificate } from '../support/certificate.ts';
import { createLauncher } from '../support/launcher.ts';
import { EXECUTABLE, startPlugin, withEnvironment } from '../support/plugin.ts';
import { createPod, SCRATCH_PATH, SERVER_UID } from './pod.ts';

const canMount = spawnSync('/usr/bin/unshare', ['--mount', 'true']).status === 0;
const skip = process.getuid?.() === 0 && canMount ? false : 'only for root with the right to mount';

const cluster = await startCluster({ speed: 20 });
t.teardown(cluster.close);
cluster.access.setRules(chartRules(cluster.namespace));
cluster.setMetrics('present');
const pod = createPod(cluster);
t.teardown(pod.remove);

/** What a launcher passes to its plugin. */
const ARGUMENTS = ['--plugin-name=Kubernetes', '--server-user=rstudio-server', '--heartbeat-interval-seconds=5'];

const ACCOUNT = 'system:serviceaccount:rstudio:job-launcher ';

/** The lines of `check`, after root has executed a shell script in the pod. */
function check(uid: number, script?: string): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const before = script === undefined ? [] : ['/bin/sh', '-euc', `${script}; exec "$@"`, 'sh'];
  const command = [...pod.command(uid), ...before, EXECUTABLE, 'check', ...ARGUMENTS];
  const [program, args] = withEnvironment(pod.environment, command);
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
      resolve({ code, lines: `${stdout}${stderr}`.split('\n').filter(Boolean) });
    });
  });
}

for (const uid of [0, SERVER_UID]) {
  t.test(`from the start to a finished job with a port and input, as uid ${uid}`, { skip }, async (t) => {
    const unprivileged = uid === 0 ? [] : ['--unprivileged=1'];
    const plugin = await startPlugin({
      command: [...pod.command(uid), EXECUTABLE],
      args: [...ARGUMENTS, ...unprivileged],
      env: pod.environment,
      findsOptions: true,
    });
    t.teardown(plugin.close);
    const launcher = createLauncher(plugin.wire);
    await launcher.bootstrap();
    const { id } = await launcher.submit('jane', {
      name: 'In a pod: "session"',
      command: 'cat; echo "$SITE_NAME"',
      stdin: 'the input of the job\n',
      exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
    });
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    launcher.status('jane', id, ({ status }) => {
      if (['Finished', 'Failed', 'Killed', 'Canceled'].includes(status)) resolve(status);
    });
    t.equal(await ended, 'Finished');
    let text = '';
    await launcher.output('jane', id, (piece) => {
      text += piece;
    }).completed;
    t.equal(text, 'the input of the job\nexample\n');
    t.match(await launcher.job('jane', id), { exitCode: 0, exposedPorts: [{ targetPort: 8787 }] });
    const log = plugin.stderr();
    t.match(log, 'Launcher templates in use [');
    t.match(log, SCRATCH_PATH);
  });

  t.test(`check as uid ${uid}: nothing fails, and the warnings are true`, { skip }, async (t) => {
    const { code, lines } = await check(uid);
    t.equal(code, 0);
    // The namespace shares the processes of this host, where other tests run plugins; a pod has its own.
    const ours = lines.filter((line) => !line.includes('the running plugin (pid '));
    const warnings = ours.filter((line) => line.startsWith('warning'));
    t.strictSame(
      warnings.map((line) => line.slice(25).replace(ACCOUNT, '').replace(/:.*/, '')),
      [
        'cannot get, create, delete secrets',
        'cannot list events',
        'cannot list pods.metrics.k8s.io',
        'cannot get nodes',
        'cannot list serviceaccounts',
        'cannot list nodes',
        'no permission to list nodes',
        'a user without a section can become root on a node',
      ],
    );
  });
}

t.test('check names what to change in the pod, where chgrp, chmod and chown do not help', { skip }, async (t) => {
  const account = '/run/secrets/kubernetes.io/serviceaccount';
  const closed = await check(
    0,
    `mount -o remount,rw ${account}; chmod 0600 ${account}/token; mount -o remount,ro ${account}`,
  );
  t.equal(closed.code, 1);
  t.strictSame(
    closed.lines.filter((line) => line.startsWith('failed')).map((line) => line.slice(25)),
    [
      `/var/run/secrets/kubernetes.io/serviceaccount/token: cannot be read: rstudio-server (uid 999) has no permission: owner 0, group 999, mode 0600 (EACCES) -> set fsGroup: 999 in the securityContext of the pod: chgrp and chmod do not last in a volume of Kubernetes`,
    ],
  );
  const policy = '/mnt/configmap/rstudio';
  const scratch = await check(
    0,
    `mount -o remount,ro ${SCRATCH_PATH}; mount -o remount,rw ${policy}; chmod 0600 ${policy}/..data/launcher.kubernetes.profiles.conf; mount -o remount,ro ${policy}`,
  );
  t.strictSame(
    scratch.lines.filter((line) => / (?:directories|profiles) /.test(line) && !line.startsWith('ok')),
    [
      `warning  directories     scratch-path: ${SCRATCH_PATH} cannot be written (the plugin writes nothing there): rstudio-server (uid 999) finds a read-only file system -> mount a file system there that can be written (in a pod: an emptyDir), or remount it: mount -o remount,rw ${SCRATCH_PATH}`,
      `failed   profiles        ${policy}/launcher.kubernetes.profiles.conf: cannot be read: rstudio-server (uid 999) has no permission: owner 0, group 0, mode 0600 (EACCES) -> set fsGroup: 999 in the securityContext of the pod: chgrp and chmod do not last in a volume of Kubernetes`,
    ],
  );
});

t.test('check names the files of the service account, and trusts no other CA', { skip }, async (t) => {
  const account = '/run/secrets/kubernetes.io/serviceaccount';
  const good = await check(0);
  t.strictSame(
    good.lines.filter((line) => / (?:ca|name) /.test(line.slice(0, 25))).map((line) => line.slice(25)),
    [
      '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt holds 1 certificate',
      'KUBERNETES_SERVICE_HOST holds an IP address; no DNS lookup needed',
    ],
  );
  const { pem } = createCertificate({
    name: 'other',
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    isAuthority: true,
  });
  const bad = await check(0, `mount -o remount,rw ${account}; printf %s '${pem}' >${account}/ca.crt`);
  const failed = bad.lines.filter((line) => line.startsWith('failed')).map((line) => line.slice(25));
  t.strictSame(failed, [
    `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt: it contains CN=other, but the certificate of ${new URL(cluster.url).host} was issued by CN=simulated-cluster-ca (UNABLE_TO_GET_ISSUER_CERT_LOCALLY) -> delete this pod, so that Kubernetes makes a new one with the CA that it has now: kubectl -n rstudio get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}'; if the CA is the same, a proxy on the way shows a certificate of its own`,
  ]);
});

t.test('in a namespace without permissions, check reports the namespace alone', { skip }, async (t) => {
  const policy = '/mnt/configmap/rstudio';
  const edit = `sed -i s/=${cluster.namespace}/=other/ ${policy}/..data/launcher.kubernetes.conf`;
  const { lines } = await check(0, `mount -o remount,rw ${policy}; ${edit}; mount -o remount,ro ${policy}`);
  t.strictSame(
    lines.filter((line) => line.startsWith('failed')).map((line) => line.slice(9, 25).trim()),
    ['namespace'],
  );
});

t.test('name services that do not answer: check fails if profiles need them', { skip }, async (t) => {
  const hung =
    'printf "#!/bin/sh\\nexec sleep 300\\n" >/mnt/hung; chmod 0755 /mnt/hung; mount --bind /mnt/hung /usr/bin/id';
  const policy = '/mnt/configmap/rstudio';
  const checkWith = async (section: string): Promise<readonly string[]> => {
    const edit = `mount -o remount,rw ${policy}; echo "${section}" >>${policy}/..data/launcher.kubernetes.profiles.conf; mount -o remount,ro ${policy}`;
    const { lines } = await check(0, `mount -o remount,bind,rw /mnt; ${hung}; ${edit}; mount -o remount,bind,ro /mnt`);
    return lines.filter((line) => line.includes('gave no answer'));
  };
  t.strictSame(await checkWith('# only [*]'), []);
  t.strictSame(await checkWith('[jane]'), [
    'warning  profiles        /usr/bin/id gave no answer within 5 s: a submit of a user that was not looked up before waits for it -> start the name services of this host (SSSD, LDAP); test with: getent group rstudio-launcher-check; id rstudio-server',
  ]);
  t.strictSame(await checkWith('[@staff]'), [
    'failed   profiles        /usr/bin/id gave no answer within 5 s: jobs of users that were not looked up before are refused -> start the name services of this host (SSSD, LDAP); test with: getent group rstudio-launcher-check; id rstudio-server',
  ]);
});

t.test('a log on a full disk: check says so; the plugin names the file and logs to stderr', { skip }, async (t) => {
  const full = 'mount -t tmpfs -o size=64k full /var/log; cat /dev/zero >/var/log/fill 2>/dev/null || true';
  const script = `${full}; export RS_LOGGER_TYPE=file`;
  const { lines } = await check(0, script);
  t.strictSame(
    lines.filter((line) => line.startsWith('warning  directories')),
    [
      'warning  directories     /var/log/rstudio/launcher is on a full file system (the log goes to stderr until there is space) -> df -h /var/log/rstudio/launcher, and delete what is not needed',
    ],
  );
  const plugin = await startPlugin({
    command: [...pod.command(0), '/bin/sh', '-euc', `${script}; exec "$@"`, 'sh', EXECUTABLE],
    args: ARGUMENTS,
    env: pod.environment,
    findsOptions: true,
  });
  t.teardown(plugin.close);
  await createLauncher(plugin.wire).bootstrap();
  t.match(
    plugin.stderr(),
    'WARNING Cannot write the log; logging to stderr; Error (cannot write to /var/log/rstudio/launcher/rstudio-kubernetes-launcher.log); CAUSED BY: SystemError error ENOSPC',
  );
});

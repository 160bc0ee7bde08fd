/**
 * The file system of a Workbench pod as the chart mounts it, in a mount namespace: ConfigMaps behind symbolic links in
 * read-only mounts that everybody may write, a projected token, an emptyDir with single files in it, a read-only root.
 */
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimulatedCluster } from '../cluster/cluster.ts';

/** The user and group of the chart. */
export const SERVER_UID = 999;

const SERVICE_ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount';
export const SCRATCH_PATH = '/var/lib/rstudio-launcher/Kubernetes';

/** Mounts everything, then executes the command as the user. Arguments: directory of the files, uid, command. */
const SCRIPT = `
files=$1 uid=$2; shift 2
mount -t tmpfs -o mode=0755 pod /mnt
mount -t tmpfs -o mode=0755 pod /run
mount -t tmpfs -o mode=0755 pod /var/lib
configmap() {
  mkdir -p "$1"
  mount -t tmpfs -o mode=0777 pod "$1"
  cp -a "$2" "$1/..2026_11_28_08_00_00.1"
  ln -s ..2026_11_28_08_00_00.1 "$1/..data"
  for file in "$2"/*; do ln -s "..data/\${file##*/}" "$1/\${file##*/}"; done
  mount -o remount,ro "$1"
}
mkdir -p /mnt/dynamic/rstudio
configmap /mnt/configmap/rstudio "$files/configmap"
configmap /mnt/secret-configmap/rstudio "$files/secret"
configmap ${SERVICE_ACCOUNT} "$files/serviceaccount"
mkdir -p ${SCRATCH_PATH}
mount -t tmpfs -o mode=2777,gid=${SERVER_UID} pod ${SCRATCH_PATH}
for file in "$files"/templates/*; do
  target=${SCRATCH_PATH}/\${file##*/}
  touch "$target"
  mount --bind "$file" "$target"
  mount -o remount,bind,ro "$target"
done
mount --bind "$files/passwd" /etc/passwd
mount --bind "$files/group" /etc/group
mount -o remount,bind,ro /var/lib
mount -o remount,bind,ro /mnt
mount -o remount,bind,ro /run
mount -o remount,bind,ro /
if [ "$uid" = 0 ]; then exec "$@"; fi
exec /usr/bin/setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
`;

interface Pod {
  /** Program and first arguments that execute a command in the pod as this user. */
  readonly command: (uid: number) => readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly remove: () => void;
}

/** Writes the files of the pod; the mounts exist only for its commands. */
export function createPod({ url, token, ca, namespace }: SimulatedCluster): Pod {
  const directory = mkdtempSync(join(tmpdir(), 'pod-'));
  chmodSync(directory, 0o755);
  const write = (folder: string, files: Readonly<Record<string, string>>, mode = 0o644): void => {
    mkdirSync(join(directory, folder), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, folder, name), text, { mode });
  };
  write('configmap', {
    'launcher.kubernetes.conf': `kubernetes-namespace=${namespace}\nuse-templating=1\n`,
    'launcher.kubernetes.profiles.conf': '[*]\ndefault-container-image=busybox\nallow-unknown-images=1\n',
    'logging.conf': '[*]\nlog-level=info\nlogger-type=stderr\n',
  });
  write('secret', { 'database.conf': 'password=secret\n' }, 0o600);
  write('serviceaccount', { token, 'ca.crt': ca, namespace });
  const tokenFile = join(directory, 'serviceaccount/token');
  chmodSync(tokenFile, 0o640);
  chownSync(tokenFile, 0, SERVER_UID);
  cpSync(new URL('../../fixtures/templates', import.meta.url), join(directory, 'templates'), { recursive: true });
  write('', {
    passwd: `root:x:0:0:root:/root:/bin/sh\nrstudio-server:x:${SERVER_UID}:${SERVER_UID}::/:/bin/sh\n`,
    group: `root:x:0:\nrstudio-server:x:${SERVER_UID}:\n`,
  });
  const { hostname, port } = new URL(url);
  return {
    command: (uid) => [
      '/usr/bin/unshare',
      '--mount',
      '--propagation=private',
      '/bin/sh',
      '-euc',
      SCRIPT,
      'pod',
      directory,
      String(uid),
    ],
    environment: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      XDG_CONFIG_DIRS: '/mnt/dynamic:/mnt/session-configmap:/mnt/secret-configmap:/mnt/configmap:/mnt/load-balancer/',
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

import packageJson from '../../package.json' with { type: 'json' };

/** What this program is called in logs and on the terminal. */
export const PROGRAM = 'rstudio-kubernetes-launcher';

/** Version of the plugin. */
export const VERSION = packageJson.version;

/** What `--version` prints. */
export function versionText(): string {
  return `${PROGRAM} ${VERSION} (Job Launcher plugin API 3.10.0, Node.js ${process.versions.node})\n`;
}

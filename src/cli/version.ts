/** Names and version of the program. */
import packageJson from '../../package.json' with { type: 'json' };

/** Name of this program in logs and on the terminal. */
export const PROGRAM = 'rstudio-kubernetes-launcher';

/** Name of an instance (option `plugin-name`): in its log, and as the log's file name (protocol 3). */
export function programName(pluginName: string): string {
  return `rstudio-${pluginName}-launcher`;
}

/** Version of the plugin. */
export const VERSION = packageJson.version;

/** What `--version` prints. */
export function versionText(): string {
  return `${PROGRAM} ${VERSION} (Job Launcher plugin API 3.10.0, ${runtimeText()})\n`;
}

/** The JavaScript runtime and its version. */
function runtimeText(): string {
  const { deno, node } = process.versions;
  return deno === undefined ? `Node.js ${node}` : `Deno ${deno}`;
}

/** Minor version of the newest Kubernetes release that this version supports. */
export const NEWEST_MINOR = 36;

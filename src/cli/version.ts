/** Names and version of the program, as it tells them. */
import packageJson from '../../package.json' with { type: 'json' };

/** What this program is called in logs and on the terminal. */
export const PROGRAM = 'rstudio-kubernetes-launcher';

/** What an instance is called (option `plugin-name`): in its log, and as the log's file name (protocol 3). */
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

/** Minor version of the newest Kubernetes that this version was made for. */
export const NEWEST_MINOR = 36;

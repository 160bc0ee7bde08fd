/** The bundles: all of src/ and the packages it uses in one file, and in three files for the executable. */
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { BANNER, FOOTER, PACKAGES, PACKAGES_ASSET, START_ASSET } from './start-script.ts';

/** What went into a bundle. */
interface Bundle {
  readonly bytes: number;
  /** Names of the packages of node_modules that are in it, sorted. */
  readonly packages: readonly string[];
}

const OPTIONS = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  logLevel: 'warning',
  legalComments: 'none',
  // ws would look for native helpers on the host.
  define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
} as const satisfies BuildOptions;

/**
 * Bundles src/main.ts and the packages it uses into one CommonJS file for Node.js 24. Not minified: stack traces stay
 * readable, and it does not start faster. `plugins` are for those who test with a bundle that is not quite the same.
 */
export async function bundle(root: string, output: string, plugins: readonly Plugin[] = []): Promise<Bundle> {
  const { metafile } = await build({
    ...OPTIONS,
    absWorkingDir: root,
    entryPoints: ['src/main.ts'],
    outfile: output,
    metafile: true,
    plugins: [...plugins],
  });
  const [result] = Object.values(metafile.outputs);
  const inputs = Object.entries(result?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = inputs.flatMap(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return { bytes: result?.bytes ?? 0, packages: [...new Set(packages)].sort() };
}

/** Bundles the same into three files for the executable: main.cjs, and as scripts src/start.ts, and the packages that are loaded later. */
export async function bundleParts(root: string, directory: string): Promise<void> {
  const loader: Plugin = {
    name: 'loader',
    setup: ({ onResolve }) => {
      onResolve({ filter: /^\.\/start\.ts$/ }, () => ({ path: join(root, 'build/load-start.ts') }));
    },
  };
  // A script has no import().
  const common = { ...OPTIONS, absWorkingDir: root, supported: { 'dynamic-import': false } };
  const main = join(directory, 'main.cjs');
  await build({ ...common, entryPoints: ['src/main.ts'], outfile: main, plugins: [loader] });
  const script = { banner: { js: BANNER }, footer: { js: FOOTER } };
  await build({
    ...common,
    ...script,
    entryPoints: ['src/start.ts'],
    external: PACKAGES,
    outfile: join(directory, START_ASSET),
  });
  const loaders = PACKAGES.map((name) => `${JSON.stringify(name)}: () => require(${JSON.stringify(name)})`);
  await build({
    ...common,
    ...script,
    stdin: { contents: `module.exports = { ${loaders.join(', ')} };`, resolveDir: root },
    outfile: join(directory, PACKAGES_ASSET),
  });
}

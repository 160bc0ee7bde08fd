/** The bundle: all of src/ and the packages it uses in one file. */
import { build, type Plugin } from 'esbuild';

/** What went into a bundle. */
interface Bundle {
  readonly bytes: number;
  /** Names of the packages of node_modules that are in it, sorted. */
  readonly packages: readonly string[];
}

/**
 * Bundles src/main.ts and the packages it uses into one CommonJS file for Node.js 24. Not minified: stack traces stay
 * readable, and it does not start faster. `plugins` are for those who test with a bundle that is not quite the same.
 */
export async function bundle(root: string, output: string, plugins: readonly Plugin[] = []): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/main.ts'],
    outfile: output,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    metafile: true,
    plugins: [...plugins],
    logLevel: 'warning',
    legalComments: 'none',
    // ws would look for native helpers on the host.
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
  });
  const [result] = Object.values(metafile.outputs);
  const inputs = Object.entries(result?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = inputs.flatMap(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return { bytes: result?.bytes ?? 0, packages: [...new Set(packages)].sort() };
}

/** Stands for src/start.ts in the executable, where its bundle with two code caches, and the packages are assets. */
import { getAssetKeys, getRawAsset } from 'node:sea';
import type * as Start from '../src/start.ts';
import { bundleScript, COMMANDS_CACHE, loadStart, PACKAGES_ASSET, START_ASSET, START_CACHE } from './start-script.ts';

const asset = (name: string): Buffer => Buffer.from(getRawAsset(name));

export const { start }: Pick<typeof Start, 'start'> = {
  start: (args, writeStderr) => {
    const cache = args[0]?.startsWith('-') === false ? COMMANDS_CACHE : START_CACHE;
    const script = bundleScript(asset(START_ASSET), getAssetKeys().includes(cache) ? asset(cache) : undefined);
    const { start } = loadStart(script, () => bundleScript(asset(PACKAGES_ASSET)));
    return start(args, writeStderr);
  },
};

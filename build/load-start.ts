/** Stands for src/start.ts in the executable, where its bundle, the packages and their code caches are assets. */
import { getAssetKeys, getRawAsset } from 'node:sea';
import type * as Start from '../src/start.ts';
import {
  bundleScript,
  COMMANDS_CACHE,
  loadStart,
  PACKAGES_ASSET,
  PACKAGES_CACHE,
  START_ASSET,
  START_CACHE,
} from './start-script.ts';

const asset = (name: string): Buffer => Buffer.from(getRawAsset(name));
const script = (source: string, cache: string) =>
  bundleScript(asset(source), getAssetKeys().includes(cache) ? asset(cache) : undefined);

export const { start }: Pick<typeof Start, 'start'> = {
  start: (args, writeStderr) => {
    const cache = args[0]?.startsWith('-') === false ? COMMANDS_CACHE : START_CACHE;
    const { start } = loadStart(script(START_ASSET, cache), () => script(PACKAGES_ASSET, PACKAGES_CACHE));
    return start(args, writeStderr);
  },
};

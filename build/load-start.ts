/** Stands for src/start.ts in the executable, where that bundle and its code cache are assets. */
import { getAssetKeys, getRawAsset } from 'node:sea';
import { CACHE_ASSET, loadStart, START_ASSET, startScript } from './start-script.ts';

const asset = (name: string): Buffer => Buffer.from(getRawAsset(name));
const script = startScript(asset(START_ASSET), getAssetKeys().includes(CACHE_ASSET) ? asset(CACHE_ASSET) : undefined);

export const { start } = loadStart(script);

/**
 * Directories of containers, below the cluster's own temporary one.
 */
import { chownSync, mkdirSync } from 'node:fs';
import type { Identity } from './fork.ts';

/** Makes it with its ancestors; it belongs to the container's user, who may pass through the ancestors. */
export function makeDirectory(path: string, identity: Identity | undefined): string {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  if (identity !== undefined) chownSync(path, identity.uid, identity.gid);
  return path;
}

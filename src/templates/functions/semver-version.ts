/** Semantic versions as the package Masterminds/semver reads, compares and changes them. */
import { compareBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { plainDigits } from '../go-numbers.ts';

export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly prerelease: string;
  readonly metadata: string;
  /** As it was written. */
  readonly original: string;
}

const VERSION =
  /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;

function segment(digits: string): bigint {
  const value = plainDigits(digits, 10) ?? 0n;
  if (value >= 2n ** 64n) {
    throw new GoError(`Error parsing version segment: strconv.ParseUint: parsing "${digits}": value out of range`);
  }
  return value;
}

/** Minor and patch number may be missing, a `v` may come first. */
export function parseVersion(text: string): Version {
  const match = VERSION.exec(text);
  if (match === null) throw new GoError('Invalid Semantic Version');
  const [, major = '0', minor = '0', patch = '0', prerelease = '', metadata = ''] = match;
  const version = {
    major: segment(major),
    minor: segment(minor),
    patch: segment(patch),
    prerelease,
    metadata,
    original: text,
  };
  checkPrerelease(prerelease);
  return version;
}

export function checkPrerelease(prerelease: string): void {
  if (prerelease === '') return;
  for (const part of prerelease.split('.')) {
    if (/^0[0-9]+$/.test(part)) throw new GoError('Version segment starts with 0');
    if (!/^[0-9A-Za-z-]*$/.test(part)) throw new GoError('Invalid Prerelease string');
  }
}

export function checkMetadata(metadata: string): void {
  if (!/^[0-9A-Za-z.-]*$/.test(metadata)) throw new GoError('Invalid Metadata string');
}

export function formatVersion({ major, minor, patch, prerelease, metadata }: Omit<Version, 'original'>): string {
  const suffix = `${prerelease === '' ? '' : `-${prerelease}`}${metadata === '' ? '' : `+${metadata}`}`;
  return `${major}.${minor}.${patch}${suffix}`;
}

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Below zero if the first is older; build metadata do not count. */
export function compareVersions(a: Version, b: Version): number {
  const numbers = order(a.major, b.major) || order(a.minor, b.minor) || order(a.patch, b.patch);
  if (numbers !== 0 || a.prerelease === b.prerelease) return numbers;
  if (a.prerelease === '') return 1;
  if (b.prerelease === '') return -1;
  return comparePrereleases(a.prerelease, b.prerelease);
}

export function comparePrereleases(a: string, b: string): number {
  const left = a.split('.');
  const right = b.split('.');
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = comparePart(left[i] ?? '', right[i] ?? '');
    if (difference !== 0) return difference;
  }
  return 0;
}

function comparePart(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '') return -1;
  if (b === '') return 1;
  const left = number(a);
  const right = number(b);
  if (left === undefined && right === undefined) return compareBytes(a, b) > 0 ? 1 : -1;
  if (right === undefined) return -1;
  if (left === undefined) return 1;
  return left > right ? 1 : -1;
}

function number(part: string): bigint | undefined {
  const value = plainDigits(part, 10);
  return value === undefined || value >= 2n ** 64n ? undefined : value;
}

/** Ranges of versions (`>=1.2 <2 || ~3.1`) as the package Masterminds/semver checks them. */

import { runAtOnce } from '../../system/slices.ts';
import { GoError } from '../contract.ts';
import type { Budget } from '../values.ts';
import { Matcher } from './regex/regex-matcher.ts';
import { compileRegex } from './regex/regex-program.ts';
import { comparePrereleases, compareVersions, parseVersion, type Version } from './semver-version.ts';

interface Constraint {
  readonly operator: string;
  readonly version: Version;
  /** Some part was missing or an `x`. */
  readonly partial: boolean;
  readonly anyMinor: boolean;
  readonly anyPatch: boolean;
}

// These run on the machine for Go's regular expressions: its preferences are Go's, and its time is bounded.
const NUMBER = '[0-9|xX*]+';
const NAMES = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const VERSION = `v?(${NUMBER})(\\.${NUMBER})?(\\.${NUMBER})?(-${NAMES})?(?:\\+${NAMES})?`;
/** The empty operator is tried after `=` and before all others, as in Go. */
const OPERATOR = '=||!=|>|<|>=|=>|<=|=<|~|~>|\\^';
const ONE = `(?:${OPERATOR})\\s*(?:${VERSION})`;
const RANGE = `\\s*(${VERSION})\\s+-\\s+(${VERSION})\\s*`;
const ALL = `^\\s*${ONE}\\s*(?:(?:\\s+|,\\s*)${ONE}\\s*)*$`;
const SINGLE = `^\\s*(${OPERATOR})\\s*(${VERSION})\\s*$`;

export function satisfies(constraints: string, text: string, budget: Budget): boolean {
  const alternatives = parseConstraints(constraints, budget);
  const version = parseVersion(text);
  return alternatives.some((all) => all.every((constraint) => holds(constraint, version)));
}

/** The matches of an expression with their groups. */
function find(regex: string, text: string, budget: Budget): readonly (readonly string[])[] {
  const program = compileRegex(regex);
  return runAtOnce(new Matcher(program, text, budget).all(Number.POSITIVE_INFINITY)).map((captures) =>
    program.names.map((_name, i) => text.slice(captures[2 * i], captures[2 * i + 1])),
  );
}

function parseConstraints(source: string, budget: Budget): readonly (readonly Constraint[])[] {
  let text = source;
  for (const [whole = '', low, , , , , high] of find(RANGE, source, budget)) {
    text = text.replace(whole, () => `>= ${low}, <= ${high}`);
  }
  return text.split('||').map((part) => {
    if (find(ALL, part, budget).length === 0) throw new GoError(`improper constraint: ${part}`);
    return find(ONE, part, budget).map(([one = '']) => parseOne(one, budget));
  });
}

const isAny = (part: string): boolean => ['', 'x', 'X', '*'].includes(part);

function parseOne(text: string, budget: Budget): Constraint {
  const [match] = find(SINGLE, text, budget);
  if (match === undefined) throw new GoError(`improper constraint: ${text}`);
  const [, operator = '', written = '', major = '', minor = '', patch = '', prerelease = ''] = match;
  const anyMajor = isAny(major);
  const anyMinor = !anyMajor && isAny(minor.slice(1));
  const anyPatch = !anyMajor && !anyMinor && isAny(patch.slice(1));
  const partial = anyMajor || anyMinor || anyPatch;
  const numbers = anyMajor ? '0.0.0' : anyMinor ? `${major}.0.0` : `${major}${minor}.0`;
  return { operator, version: versionOf(partial ? numbers + prerelease : written), partial, anyMinor, anyPatch };
}

function versionOf(text: string): Version {
  try {
    return parseVersion(text);
  } catch (error) {
    if (error instanceof GoError) throw new GoError('constraint Parser Error');
    throw error;
  }
}

function holds(constraint: Constraint, version: Version): boolean {
  const { operator, version: wanted, partial, anyMinor, anyPatch } = constraint;
  const compared = compareVersions(version, wanted);
  const isUnwantedPrerelease = version.prerelease !== '' && wanted.prerelease === '';
  if (operator === '!=') return isUnwantedPrerelease && partial ? false : differs(constraint, version);
  if (isUnwantedPrerelease) return false;
  switch (operator) {
    case '>':
      if (!partial || version.major !== wanted.major) return partial ? version.major > wanted.major : compared > 0;
      if (anyMinor) return false;
      return anyPatch ? version.minor > wanted.minor : compared > 0;
    case '<':
      return compared < 0;
    case '>=':
    case '=>':
      return compared >= 0;
    case '<=':
    case '=<':
      if (!partial) return compared <= 0;
      return (
        version.major < wanted.major || (version.major === wanted.major && (anyMinor || version.minor <= wanted.minor))
      );
    case '^':
      return compared >= 0 && caret(constraint, version);
    case '~':
    case '~>':
      return compared >= 0 && tilde(constraint, version);
    default:
      return partial ? compared >= 0 && tilde(constraint, version) : compared === 0;
  }
}

function differs({ version: wanted, partial, anyMinor, anyPatch }: Constraint, version: Version): boolean {
  if (!partial) return compareVersions(version, wanted) !== 0;
  if (wanted.major !== version.major) return true;
  if (anyMinor) return false;
  if (wanted.minor !== version.minor) return true;
  if (!anyPatch) return wanted.patch !== version.patch || compareVersions(version, wanted) !== 0;
  return comparePrereleases(version.prerelease, wanted.prerelease) !== 0;
}

function tilde({ version: wanted, anyMinor, anyPatch }: Constraint, version: Version): boolean {
  // ~0.0.0 and * accept everything.
  const isZero = wanted.major === 0n && wanted.minor === 0n && wanted.patch === 0n;
  if (isZero && !anyMinor && !anyPatch) return true;
  return version.major === wanted.major && (anyMinor || version.minor === wanted.minor);
}

function caret({ version: wanted, anyMinor, anyPatch }: Constraint, version: Version): boolean {
  if (version.major !== wanted.major) return false;
  if (wanted.major > 0n || anyMinor) return true;
  if (wanted.minor > 0n || anyPatch) return version.minor === wanted.minor;
  return version.minor === 0n && version.patch === wanted.patch;
}

/**
 * Names that Kubernetes accepts, made from what people wrote (kubernetes-objects.md section 1). A job's name is
 * also the name of its Service, which up to 1.35 must begin with a letter.
 */
import { type Random, randomText } from '../../system/random.ts';

const LABEL_LENGTH = 63;
/** 40, a dash and 10, so that room is left in 63 characters: the name is a label, too, and pods append six to it for theirs. */
const SLUG_LENGTH = 40;
const RANDOM_LENGTH = 10;

/** Characters of a text that a name is made of: normalizing 4 MB of some letters takes half a second. */
const MOST_READ = 1_000;

/** Lower-case letters, digits and single dashes; accents are dropped, everything else separates. */
function slug(text: string): string {
  return text
    .slice(0, MOST_READ)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** The name of a new Job: the id by which the launcher knows it. */
export function newJobName(name: string, random: Random): string {
  const words = slug(name);
  const begun = /^[a-z]/.test(words) ? words : `job-${words}`;
  const cut = begun.slice(0, SLUG_LENGTH).replace(/-$/, '');
  return `${cut}-${randomText(random, RANDOM_LENGTH)}`;
}

/** A label value that resembles the text: at most 63 characters, letters, digits, `-`, `_`, `.`; possibly ''. */
export function labelValue(text: string): string {
  return text
    .replace(/[^-A-Za-z0-9_.]+/g, '-')
    .slice(0, LABEL_LENGTH)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

/** Room for a number after a name. */
const NUMBER_LENGTH = 7;

/** Makes names of volumes: DNS labels, each one once and none of the reserved ones. The next number of a name is kept. */
export function volumeNames(reserved: ReadonlySet<string> = new Set()): (wanted: string) => string {
  const taken = new Set(reserved);
  const lastNumbers = new Map<string, number>();
  return (wanted) => {
    let name = slug(wanted).slice(0, LABEL_LENGTH).replace(/-$/, '') || 'mount';
    const stem = name.slice(0, LABEL_LENGTH - NUMBER_LENGTH).replace(/-$/, '');
    while (taken.has(name)) {
      const number = (lastNumbers.get(stem) ?? 1) + 1;
      lastNumbers.set(stem, number);
      name = `${stem}-${number}`;
    }
    taken.add(name);
    return name;
  };
}

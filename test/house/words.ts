/** Words that a reader of this project cannot search for, each with the plain one (docs/language.md). */
import type { Prose } from './sources.ts';

/** Where Kubernetes or the field uses a word, a pattern leaves that use out. Names in backticks are not looked at. */
const WORDS: Readonly<Record<string, string>> = {
  'told|tells?|telling': 'reported, reports',
  odd: 'malformed, unusual',
  whose: 'its owner',
  'mend(?:s|ed|ing)?': 'fix',
  'beats?': 'overrides',
  'lowers? (?:itself|oneself|themselves)': 'drops privileges',
  'set back': 'rolled back',
  'written down': 'persisted, saved',
  'so many': 'N',
  '(?:stand|stands|standing|stood)(?!-| out of| in for| error| input| output)': 'is',
  'by then': 'by that time',
  'some ?body else': 'another client, another user',
  'whoever|whom': 'the user, the client',
  "(?:no|some|every)body's": 'the owner',
  'jumped over': 'skipped',
  gone: 'deleted, missing',
  'chores?': 'reconcile rule',
  doubtful: 'unconfirmed',
  'ignoran(?:t|ce)': 'unobserved',
  'strangers?': 'another user',
  'hints?': 'suggestion, event summary',
  'note|noted': 'submission record',
  'situations?': 'state inputs',
  concerned: 'error location',
  guarded: 'patch with conflict retry',
  contact: 'API health, connection',
  surroundings: 'environment',
  'persons?': 'user',
  'blanks?': 'whitespace, space',
  texts: 'strings',
  'members?(?! of (?:the|a|its|this|that|no|some|which) (?:\\w+ )?group)': 'field',
  'whole(?! numbers?| seconds?| milliseconds?)': 'complete, entire',
  pieces: 'chunks',
  'rights(?! reserved)': 'permissions',
  'ends of (?:the )?jobs': 'final states',
  'way back': 'restore',
  'in force': 'current',
  'in step': 'in sync',
  'he|his|him|himself|she|her': 'they, the user',
  'behaviour|honour\\w*|colour\\w*|favour\\w*|neighbour\\w*|labelled|labelling|cancelled|cancelling|grey|whilst':
    'American spelling',
  '\\w+(?:alis|ilis|ognis|ganis|maris|imis|ronis)(?:e|es|ed|ing|ation)': 'American spelling (-ize)',
};

const PATTERNS = Object.entries(WORDS).map(([words, plain]) => ({
  pattern: new RegExp(`(?<![\\w-])(?:${words})(?![\\w-])`, 'gi'),
  plain,
}));

/** `gone` in lower case alone: `Gone` and `GONE` are the status 410. */
const isStatus = (word: string): boolean => /^G(?:one|ONE)$/.test(word);

/** The words to replace in one text. */
export function unplainWords({ line, text }: Prose): readonly { readonly line: number; readonly what: string }[] {
  const prose = text.replace(/`[^`]*`/g, (code) => code.replace(/[^\n]/g, ' '));
  return PATTERNS.flatMap(({ pattern, plain }) =>
    [...prose.matchAll(pattern)]
      .filter(([word]) => !isStatus(word))
      .map(({ 0: word, index }) => ({
        line: line + prose.slice(0, index).split('\n').length - 1,
        what: `"${word}" (write: ${plain})`,
      })),
  );
}

/** Is a string literal a sentence that a person reads, not a name? */
export const isSentence = ({ text }: Prose): boolean => /[a-z]+ [a-z]/i.test(text.trim());

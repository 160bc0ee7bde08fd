/** sprig's functions that change the case of words: camelcase, snakecase, kebabcase, swapcase, title, untitle, initials. */
import { toBytes } from '../bytes.ts';
import { isLower, isSpace, isTitle, isUpper, lowerChar, runes, titleChar, upperChar } from './go-text.ts';

const isConnector = (char: string): boolean => char === '-' || char === '_' || isSpace(char);
const isPunctuation = (char: string): boolean => /^\p{P}$/u.test(char);
const isNumber = (char: string): boolean => /^\p{N}$/u.test(char);

/** Ideographs, which the package xstrings takes for no letters of a word. */
const IDEOGRAPHS = /^[\u3400-\u4d85\u4e00-\u9fcc\u{20000}-\u{2b81d}]$/u;

const isAlphabet = (char: string): boolean => /^\p{L}$/u.test(char) && !IDEOGRAPHS.test(char);

/** As xstrings.ToCamelCase: words separated by connectors are joined, each with a capital. */
export function joinedCase(text: string): string {
  const chars = runes(text);
  const first = chars.findIndex((char) => !isConnector(char));
  // Where there are only connectors, Go writes the last one twice.
  if (first < 0) return chars.join('') + (chars.at(-1) ?? '');
  let result = chars.slice(0, first).join('');
  let current = upperChar(chars[first] ?? '');
  for (const char of chars.slice(first + 1)) {
    const previous = current;
    current = char;
    if (isConnector(previous)) {
      if (isConnector(char)) result += previous;
      else current = upperChar(char);
    } else {
      current = lowerChar(char);
      result += previous;
    }
  }
  return result + current;
}

type WordType = 'invalid' | 'number' | 'upper' | 'alphabet' | 'connector' | 'punctuation' | 'other';

interface Word {
  readonly type: WordType;
  readonly text: string;
}

const END: Word = { type: 'invalid', text: '' };

const isInvalid = (char: string): boolean => char === '\ufffd' || !char.isWellFormed();

/** Words as xstrings cuts them. */
class WordReader {
  readonly #chars: readonly string[];
  #at = 0;
  #char = '';
  #size = 0;

  constructor(text: string) {
    this.#chars = [...text];
  }

  words(): readonly Word[] {
    const words: Word[] = [];
    while (this.#at < this.#chars.length) {
      const start = this.#at;
      const type = this.#word();
      words.push({ type, text: this.#chars.slice(start, this.#at).join('') });
    }
    return words;
  }

  /** Looks at the next valid character, and the number of characters up to it; if there is none, the current one counts on. */
  #look(): void {
    this.#size = 0;
    while (this.#at + this.#size < this.#chars.length) {
      const char = this.#chars[this.#at + this.#size] ?? '';
      this.#size++;
      if (!isInvalid(char)) {
        this.#char = char;
        return;
      }
    }
  }

  /** Reads on while a condition holds, and returns the size of the last character read. */
  #while(holds: (char: string) => boolean): number {
    let last = this.#size;
    this.#at += this.#size;
    while (this.#at < this.#chars.length) {
      this.#look();
      if (!holds(this.#char)) break;
      last = this.#size;
      this.#at += this.#size;
    }
    return last;
  }

  #word(): WordType {
    this.#char = '\ufffd';
    this.#look();
    const char = this.#char;
    const small = (each: string) => isAlphabet(each) && !isUpper(each);
    if (char === '\ufffd') {
      this.#at += this.#size;
      return 'invalid';
    }
    if (isConnector(char)) {
      this.#while(isConnector);
      return 'connector';
    }
    if (isPunctuation(char)) {
      this.#while(isPunctuation);
      return 'punctuation';
    }
    if (isUpper(char)) {
      this.#at += this.#size;
      if (this.#at === this.#chars.length) return 'upper';
      this.#look();
      if (isUpper(this.#char)) {
        const last = this.#while(isUpper);
        // HTTPStatus is HTTP and Status.
        if (this.#at < this.#chars.length && isAlphabet(this.#char)) this.#at -= last;
      } else if (isAlphabet(this.#char)) this.#while(small);
      return 'upper';
    }
    if (isAlphabet(char)) {
      this.#while(small);
      return 'alphabet';
    }
    if (isNumber(char)) {
      this.#while(isNumber);
      return 'number';
    }
    this.#while((each) => !isConnector(each) && !isAlphabet(each) && !isNumber(each) && !isPunctuation(each));
    return 'other';
  }
}

/** As xstrings.ToSnakeCase and ToKebabCase: words in lower case with a connector between them. */
export function connectedCase(text: string, connector: '_' | '-'): string {
  const words = new WordReader(text).words();
  let result = '';
  let i = 0;
  const at = (): Word => words[i] ?? END;
  const isOneOf = (...types: readonly WordType[]): boolean => types.includes(at().type);
  const emit = ({ type, text: word }: Word): void => {
    if (type !== 'upper' && type !== 'connector') result += word;
    else
      for (const char of runes(word)) result += isConnector(char) ? connector : isUpper(char) ? lowerChar(char) : char;
  };
  const emitLettersAndNumbers = (): void => {
    for (; isOneOf('alphabet', 'number'); i++) emit(at());
    if (!isOneOf('invalid', 'punctuation', 'connector')) result += connector;
  };
  while (i + 1 < words.length) {
    const previous = at();
    if (previous.type !== 'connector') emit(previous);
    i++;
    if (previous.type === 'number') emitLettersAndNumbers();
    else if (previous.type === 'connector') emit(previous);
    else if (previous.type === 'punctuation') continue;
    else if (!isOneOf('number')) {
      if (!isOneOf('connector', 'punctuation')) result += connector;
    } else if (i + 1 < words.length) {
      const number = at();
      i++;
      if (isOneOf('alphabet')) {
        result += connector;
        emit(number);
        emitLettersAndNumbers();
      } else {
        emit(number);
        if (!isOneOf('connector', 'punctuation')) result += connector;
      }
    }
  }
  emit(at());
  return result;
}

/** As goutils.SwapCase: lower case after whitespace becomes title case. */
export function swapCase(text: string): string {
  let afterSpace = true;
  const swapped = runes(text).map((char) => {
    const upper = isUpper(char) || isTitle(char);
    const lower = isLower(char);
    const result = upper ? lowerChar(char) : !lower ? char : afterSpace ? titleChar(char) : upperChar(char);
    afterSpace = !upper && !lower && isSpace(char);
    return result;
  });
  return swapped.join('');
}

/** As strings.Title: the first letter of each word in title case. */
export function title(text: string): string {
  let previous = ' ';
  const titled = runes(text).map((char) => {
    const result = isSeparator(previous) ? titleChar(char) : char;
    previous = char;
    return result;
  });
  return titled.join('');
}

function isSeparator(char: string): boolean {
  if (char <= '\x7f') return !/[0-9A-Za-z_]/.test(char);
  return !/^[\p{L}\p{Nd}]$/u.test(char) && isSpace(char);
}

/** As goutils.Uncapitalize: the first letter of each word in lower case. */
export function untitle(text: string): string {
  let afterSpace = true;
  const result = runes(text).map((char) => {
    if (isSpace(char)) {
      afterSpace = true;
      return char;
    }
    const changed = afterSpace ? lowerChar(char) : char;
    afterSpace = false;
    return changed;
  });
  return result.join('');
}

/** Bytes as characters up to U+00FF: goutils takes the bytes of a text for characters. */
const asCharacters = (text: string): readonly string[] => [...Buffer.from(toBytes(text)).toString('latin1')];

/** As goutils.Initials: the first byte of each word, as a character. */
export function initials(text: string): string {
  let afterSpace = true;
  return asCharacters(text)
    .filter((char) => {
      const first = afterSpace && !isSpace(char);
      afterSpace = isSpace(char);
      return first;
    })
    .join('');
}

/** As goutils.DeleteWhiteSpace: what is not ASCII is taken for several characters, if there is whitespace at all. */
export function withoutSpace(text: string): string {
  const chars = asCharacters(text);
  const kept = chars.filter((char) => !isSpace(char));
  return kept.length === chars.length ? text : kept.join('');
}

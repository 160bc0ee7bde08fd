/** What servers and proxies say goes to users and into the log. What they repeat of our request must not. */

/** Of an answer that is no Status. */
const LONGEST_LINE = 200;

/**
 * What quotes our own object, and with it values of variables: a validation of one (`spec.template.spec.containers[0].env[2].value:
 * Invalid value: "..."`), of all that is around it (as JSON, or as Go prints it), and a decoder's surroundings of a mistake.
 */
const QUOTES: readonly (readonly [RegExp, string])[] = [
  [/(\benv\[\d+\]\.value: [A-Z][a-z]+ ?[a-z]*: )(?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s,]+)/g, '$1***'],
  [/( value: )(?:"\{(?:[^"\\]|\\.)*"|[\w.&]*\{.*\})/gs, '$1***'],
  [/\.\.\.\|.*\|\.\.\./gs, '***'],
];

/** Without the token of our Authorization header, and without values of variables. */
export function withoutSecrets(text: string, authorization: string | undefined): string {
  const token = authorization?.slice(authorization.indexOf(' ') + 1) ?? '';
  const told = token === '' ? text : text.replaceAll(token, '***');
  return QUOTES.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), told);
}

/** The first line, up to an object that may be ours and was sent back, and of that the beginning. */
export function firstLine(text: string): string {
  const [line = ''] = text.trim().split(/[\r\n]|\s*\{"/, 1);
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}...` : line;
}

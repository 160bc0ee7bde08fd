/** What servers and proxies say goes to users and into the log. What they repeat of our request must not. */

/** Of an answer that is no Status. */
const LONGEST_LINE = 200;

/** As a validation of the API server quotes it: `spec.template.spec.containers[0].env[2].value: Invalid value: "..."`. */
const VARIABLE = /(\benv\[\d+\]\.value: Invalid value: )"(?:[^"\\]|\\.)*"/g;

/** Without the token of our Authorization header, and without values of variables. */
export function withoutSecrets(text: string, authorization: string | undefined): string {
  const token = authorization?.slice(authorization.indexOf(' ') + 1) ?? '';
  const told = token === '' ? text : text.replaceAll(token, '***');
  return told.replace(VARIABLE, '$1***');
}

/** The first line, up to an object that may be ours and was sent back, and of that the beginning. */
export function firstLine(text: string): string {
  const [line = ''] = text.trim().split(/[\r\n]|\s*\{"/, 1);
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}...` : line;
}

/**
 * Members that a JSON text names twice: JSON.parse keeps the last without a word, the API server tells (kubernetes-facts.md 115).
 */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** What is open at a place of the text: the members of an object so far, or the place in a list. */
interface Level {
  readonly path: string;
  readonly names: Set<string> | undefined;
  index: number;
}

/** Paths as in `spec.template.spec.containers[0].name`, each once. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>();
  const levels: Level[] = [];
  /** Path of the value that comes next. */
  let next = '';
  let last = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[') {
      levels.push({ path: next, names: token === '{' ? new Set() : undefined, index: 0 });
      if (token === '[') next = `${next}[0]`;
    } else if (token === '}' || token === ']') levels.pop();
    else if (token === ',' && level !== undefined && level.names === undefined) {
      level.index += 1;
      next = `${level.path}[${level.index}]`;
    } else if (token === ':' && level?.names !== undefined) {
      const name: string = JSON.parse(last);
      next = level.path === '' ? name : `${level.path}.${name}`;
      if (level.names.has(name)) found.add(next);
      level.names.add(name);
    } else last = token;
  }
  return [...found];
}

/** "Did you mean" suggestions for mistyped names, by edit distance. */

/** The most similar known name; undefined if none is similar. Of equally similar names, the first of `known`. */
export function suggestion(name: string, known: Iterable<string>): string | undefined {
  const most = Math.max(2, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = most + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name.toLowerCase().replaceAll('_', '-'), candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or '' without a suggestion. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const similar = suggestion(name, known);
  return similar === undefined ? '' : ` (did you mean "${similar}"?)`;
}

/** Number of insertions, deletions, replacements and swaps of adjacent characters between two strings. */
function editDistance(from: string, to: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from.charAt(i - 1) === to.charAt(j - 1);
      let cost = Math.min((row[j - 1] ?? 0) + 1, (previous[j] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = from.charAt(i - 1) === to.charAt(j - 2) && from.charAt(i - 2) === to.charAt(j - 1);
      if (i > 1 && j > 1 && swapped) cost = Math.min(cost, (older[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    older = previous;
    previous = row;
  }
  return previous[to.length] ?? 0;
}

/**
 * What Kubernetes makes of `$` in command, args and env values (kubernetes-facts.md 17): `$$` is `$`, `$(NAME)` a variable that was
 * defined before; anything else stays as it is.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, token: string, name: string | undefined) => {
    if (token === '$') return '$';
    return (name === undefined ? undefined : variables.get(name)) ?? whole;
  });
}

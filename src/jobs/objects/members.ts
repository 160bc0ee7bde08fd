/** Members of an object: left out where there is nothing to say, and lists that are kept. */

/** The member, unless the text or list is empty. */
export const unlessEmpty = <K extends string, V extends string | readonly unknown[]>(
  key: K,
  value: V,
): { [k in K]?: V } => (value.length === 0 ? {} : ({ [key]: value } as { [k in K]?: V }));

/** The member, unless the object is empty. */
export const unlessBare = <K extends string, V extends object>(key: K, value: V): { [k in K]?: V } =>
  Object.keys(value).length === 0 ? {} : ({ [key]: value } as { [k in K]?: V });

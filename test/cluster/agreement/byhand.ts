/**
 * What the recorder did between the recorded exchanges, beside them: seen in the watches, and needed for what follows.
 */
export interface ByHand {
  /** Milliseconds since the scenario began. */
  readonly t: number;
  readonly method: 'DELETE';
  readonly path: string;
}

function deleteJobs(t: number, namespace: string, names: readonly string[]): ByHand[] {
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  return names.map((name) => ({ t, method: 'DELETE', path: `${jobs}/${name}?propagationPolicy=Background` }));
}

export const BY_HAND: Readonly<Record<string, readonly ByHand[]>> = {
  '08-stop': deleteJobs(8690, 'rstudio', ['s08-plain', 's08-trap0', 's08-trap5', 's08-ignore', 's08-exec']),
  '14-quota-limitrange': deleteJobs(22_262, 'rs-quota', ['s14-noreq', 's14-one', 's14-two', 's14-cpu']),
};

/**
 * What the recorder did between the recorded exchanges, beside them: seen in the watches, and needed for what follows.
 */
export interface ByHand {
  /** Milliseconds since the scenario began. */
  readonly t: number;
  readonly method: 'DELETE';
  readonly path: string;
}

const QUOTA_JOBS = '/apis/batch/v1/namespaces/rs-quota/jobs';

export const BY_HAND: Readonly<Record<string, readonly ByHand[]>> = {
  '14-quota-limitrange': ['s14-noreq', 's14-one', 's14-two', 's14-cpu'].map((name) => ({
    t: 22_262,
    method: 'DELETE',
    path: `${QUOTA_JOBS}/${name}?propagationPolicy=Background`,
  })),
};

/** `check` against a simulated cluster, with the permissions that a test gives its account. */
import type { Test } from 'tap';
import { type Rule, smallestRules } from '../cluster/api/access.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { optionsFor } from '../cluster/config.ts';
import { type Outcome, run, type Situation } from './harness.ts';

/** The account of the plugin. */
export const ACCOUNT = 'system:serviceaccount:rstudio:job-launcher';

/** What that account needs, and nothing else. */
export const SMALLEST = smallestRules('rstudio');

interface Checked {
  readonly cluster: SimulatedCluster;
  /** Runs `check` with these permissions. */
  readonly check: (
    t: Test,
    rules: readonly Rule[],
    situation?: Situation,
    args?: readonly string[],
  ) => Promise<Outcome>;
}

/** Who starts it closes the cluster. */
export async function startChecked(): Promise<Checked> {
  const cluster = await startCluster({ speed: 50 });
  return {
    cluster,
    check: (t, rules, situation = {}, args = []) => {
      cluster.access.setRules(rules);
      return run(t, ['check', ...args], { ...situation, options: { ...optionsFor(cluster), ...situation.options } });
    },
  };
}

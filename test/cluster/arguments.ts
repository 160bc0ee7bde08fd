/**
 * What may be typed after `npm run cluster --`, and what is wrong with what was typed.
 */
import { parseArgs } from 'node:util';
import { chartRules, documentedRules, type Rule, smallestRules } from './api/access.ts';
import type { ClusterOptions } from './cluster.ts';
import { FAULTS, type Fault, type FaultRule } from './faults/rules.ts';

export const HELP = `Usage: npm run cluster -- [options]

Starts a simulated Kubernetes cluster on 127.0.0.1 and writes an options file for the plugin that works with it.
Containers are real processes of this machine, without isolation: do not run what you do not trust.

  --port N         port of the API server (default: any free one)
  --nodes N        number of nodes (default 1)
  --namespace NAME namespace of the launcher (default rstudio)
  --token TEXT     accept this text as the launcher's token (default: one is made)
  --rights WHICH   smallest: what the plugin needs, for its account alone (default); documented: all rights in the
                   namespace, for all of its accounts, as older instructions have it; chart: those of the chart of
                   Workbench, without Secrets and nodes
  --speed N        scheduling, pulls and controllers N times as fast as the recorded cluster (default 1)
  --time-scale N   let grace periods and deadlines pass N times as fast (default 1)
  --fault NAME=P   put a fault in the way of requests with chance P (0 to 1); may be given more than once.
                   Names: ${Object.keys(FAULTS).join(', ')}
  --seed N         seed of those chances (default 1)
  --files DIR      write token, ca.crt and launcher.kubernetes.conf there and let them stay (default: a temporary
                   directory), and print the variables for npm run test:cluster. DIR is new or empty, or has these
                   files of an earlier start, which are written anew
  --no-metrics     do not serve metrics.k8s.io
  --help           this text
`;

/** Says what was typed wrongly, in a sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Arguments {
  readonly help: boolean;
  readonly cluster: ClusterOptions;
  readonly rules: (namespace: string) => readonly Rule[];
  readonly faults: readonly FaultRule[];
  readonly files: string | undefined;
  readonly metrics: boolean;
}

const RIGHTS: Readonly<Record<string, Arguments['rules']>> = {
  smallest: smallestRules,
  documented: documentedRules,
  chart: chartRules,
};

/** Throws a UsageError. */
export function readArguments(args: readonly string[]): Arguments {
  const values = parsed(args);
  const { rights = 'smallest', namespace, token } = values;
  const rules = RIGHTS[rights];
  if (rules === undefined)
    throw new UsageError(`--rights must be one of ${Object.keys(RIGHTS).join(', ')}, not ${rights}`);
  return {
    help: values.help,
    cluster: {
      ...(namespace === undefined ? {} : { namespace }),
      ...(token === undefined ? {} : { token }),
      port: number('port', values.port ?? '0', WHOLE, 0, 65_535),
      nodes: number('nodes', values.nodes ?? '1', WHOLE, 1, 250),
      speed: number('speed', values.speed ?? '1', DECIMAL, 0.001, 1_000_000),
      timeScale: number('time-scale', values['time-scale'] ?? '1', DECIMAL, 0.001, 1_000_000),
      seed: number('seed', values.seed ?? '1', WHOLE, 0, 2 ** 32 - 1),
    },
    rules,
    faults: values.fault.map(faultRule),
    files: values.files,
    metrics: values.metrics,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        port: text,
        nodes: text,
        namespace: text,
        token: text,
        rights: text,
        speed: text,
        'time-scale': text,
        fault: { type: 'string', multiple: true, default: [] },
        seed: text,
        files: text,
        metrics: { type: 'boolean', default: true },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    // The first sentence of Node names what was typed; the others speak of programs.
    throw new UsageError(error instanceof Error ? error.message.replace(/\. .*/s, '') : String(error), {
      cause: error,
    });
  }
}

const WHOLE = /^\d+$/;
const DECIMAL = /^\d+(\.\d+)?$/;

function number(name: string, text: string, form: RegExp, least: number, most: number): number {
  const value = Number(text);
  if (form.test(text) && value >= least && value <= most) return value;
  throw new UsageError(
    `--${name} must be ${form === WHOLE ? 'a whole number' : 'a number'} from ${least} to ${most}, not ${text}`,
  );
}

function faultRule(text: string): FaultRule {
  const [name = '', chance = '1'] = text.split('=');
  const fault = Object.entries<Fault>(FAULTS).find(([known]) => known === name)?.[1];
  if (fault === undefined) {
    throw new UsageError(`--fault must be one of ${Object.keys(FAULTS).join(', ')}, not ${name}`);
  }
  return { fault, chance: number(`fault ${name}=P`, chance, DECIMAL, 0, 1), times: Number.POSITIVE_INFINITY };
}

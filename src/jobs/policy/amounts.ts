/**
 * How much CPU, memory and how many GPUs a job gets (configuration.md section 2, "The arithmetic"), from its own limits
 * or from a resource profile.
 */

import { type EffectiveProfile, type NumberKey, numberSetting } from '../../config/profiles/profiles.ts';
import type { ResourceProfile } from '../../config/profiles/resource-profiles.ts';
import { DECIMAL, MAX_GPUS } from '../../config/text/kinds.ts';
import { place } from '../../config/text/problem.ts';
import type { Setting } from '../../config/text/settings.ts';
import type { ResourceLimit } from '../job.ts';
import { by, refuse } from '../job-error.ts';
import type { ResolvedJob } from '../objects/resolved.ts';

type ResolvedAmounts = Pick<ResolvedJob, 'limits' | 'requests' | 'nvidiaGpus' | 'amdGpus'>;

/** The values of a job by their type. */
type Limits = ReadonlyMap<string, string>;

/** An amount above 0, and its name in a sentence. */
interface Asked {
  readonly value: number;
  readonly as: string;
}

/** A resource: its names in jobs, its keys in profiles, and its values in resource profiles. */
interface Rule {
  readonly limitType: string;
  readonly requestType: string;
  readonly byDefault: NumberKey;
  readonly max: NumberKey;
  readonly ratio: NumberKey;
  readonly requestByDefault: NumberKey;
  readonly maxRequest: NumberKey;
  readonly limitOf: (profile: ResourceProfile) => Setting<number> | undefined;
  readonly requestOf: (profile: ResourceProfile) => Setting<number> | undefined;
  /** Smallest unit, rounded up: thousandths of a CPU, MB. */
  readonly units: (value: number) => number;
}

const CPU: Rule = {
  limitType: 'cpuCount',
  requestType: 'CPU Request',
  byDefault: 'default-cpus',
  max: 'max-cpus',
  ratio: 'cpu-request-ratio',
  requestByDefault: 'default-cpus-request',
  maxRequest: 'max-cpus-request',
  limitOf: ({ cpus }) => cpus,
  requestOf: ({ cpusRequest }) => cpusRequest,
  units: (value) => roundUp(value, 3),
};

const MEMORY: Rule = {
  limitType: 'memory',
  requestType: 'Memory Request',
  byDefault: 'default-mem-mb',
  max: 'max-mem-mb',
  ratio: 'memory-request-ratio',
  requestByDefault: 'default-mem-mb-request',
  maxRequest: 'max-mem-mb-request',
  limitOf: ({ memMb }) => memMb,
  requestOf: ({ memMbRequest }) => memMbRequest,
  units: (value) => roundUp(value, 0),
};

const NVIDIA = 'NVIDIA GPUs';
const AMD = 'AMD GPUs';

/** More than any machine has; keeps sums exact. */
const MOST = 1e12;

/**
 * Limits, requests and GPUs of a job. `given`, a resource profile, undefined: the job's own values. Throws JobError
 * 'invalid-request' naming the value, the maximum and where it was written.
 */
export function resolveAmounts(
  resourceLimits: readonly ResourceLimit[],
  profile: EffectiveProfile,
  given: ResourceProfile | undefined,
): ResolvedAmounts {
  const limits = new Map<string, string>();
  for (const { type, value } of resourceLimits) {
    if (limits.has(type)) refuse(`resourceLimits: ${type} is given twice.`);
    limits.set(type, value);
  }
  const cpu = compute(CPU, limits, profile, given);
  const memory = compute(MEMORY, limits, profile, given);

  const isNamed = isNamedProfile(given, profile);
  const nvidiaGpus = gpus(
    given ? asGiven(given, NVIDIA, given.nvidiaGpus) : gpusAsked(limits, NVIDIA),
    profile.defaultNvidiaGpus,
    'max-nvidia-gpus',
    profile.maxNvidiaGpus,
    isNamed,
  );
  const amdGpus = gpus(
    given ? asGiven(given, AMD, given.amdGpus) : gpusAsked(limits, AMD),
    profile.defaultAmdGpus,
    'max-amd-gpus',
    profile.maxAmdGpus,
    isNamed,
  );
  return {
    limits: {
      ...(cpu.limit === undefined ? {} : { cpuMillis: cpu.limit }),
      ...(memory.limit === undefined ? {} : { memoryMb: memory.limit }),
    },
    requests: {
      ...(cpu.request === undefined ? {} : { cpuMillis: cpu.request }),
      ...(memory.request === undefined ? {} : { memoryMb: memory.request }),
    },
    nvidiaGpus,
    amdGpus,
  };
}

/** Does `resource-profiles` name this resource profile itself, and not all of them? */
export function isNamedProfile(given: ResourceProfile | undefined, profile: EffectiveProfile): boolean {
  const { value: names } = profile.resourceProfiles;
  return given !== undefined && names !== 'any' && names.includes(given.id);
}

/** Limit and request in the smallest unit; undefined: none. A default request is lowered to the limit and to its maximum. */
function compute(
  rule: Rule,
  limits: Limits,
  profile: EffectiveProfile,
  given: ResourceProfile | undefined,
): { readonly limit: number | undefined; readonly request: number | undefined } {
  const { units } = rule;
  const called = (key: NumberKey): Asked => {
    const setting = numberSetting(profile, key);
    return {
      value: setting.value,
      as: `${key}=${setting.value}${setting.origin ? ` (${place(setting.origin)})` : ''}`,
    };
  };
  const asked = given ? asGiven(given, rule.limitType, rule.limitOf(given)) : numberAsked(limits, rule.limitType);
  const max = numberSetting(profile, rule.max);
  if (asked !== undefined && max.value > 0 && asked.value > max.value) {
    refuse(`${asked.as} is above the maximum of ${max.value} (${by(rule.max, max)}).`);
  }
  const limit = firstAsked(asked, called(rule.byDefault), called(rule.max));
  const maxRequest = numberSetting(profile, rule.maxRequest);
  const explicit = firstAsked(
    given ? asGiven(given, rule.requestType, rule.requestOf(given)) : numberAsked(limits, rule.requestType),
  );
  if (explicit !== undefined) {
    if (limit !== undefined && explicit.value > limit.value) {
      refuse(`${explicit.as} is above the limit, ${limit.as}.`);
    }
    if (maxRequest.value > 0 && explicit.value > maxRequest.value) {
      refuse(`${explicit.as} is above the maximum of ${maxRequest.value} (${by(rule.maxRequest, maxRequest)}).`);
    }
    return { limit: limit && units(limit.value), request: units(explicit.value) };
  }
  const byDefault = numberSetting(profile, rule.requestByDefault).value;
  if (limit === undefined && byDefault === 0) return { limit: undefined, request: undefined };
  const ceiling = Math.min(
    limit === undefined ? Number.POSITIVE_INFINITY : units(limit.value),
    maxRequest.value > 0 ? units(maxRequest.value) : Number.POSITIVE_INFINITY,
  );
  const request =
    byDefault > 0 ? units(byDefault) : portion(units(limit?.value ?? 0), numberSetting(profile, rule.ratio).value);
  return { limit: limit && units(limit.value), request: Math.min(request, ceiling) };
}

/** The first that is above 0. */
function firstAsked(...candidates: readonly (Asked | undefined)[]): Asked | undefined {
  return candidates.find((candidate) => candidate !== undefined && candidate.value > 0);
}

function asGiven(profile: ResourceProfile, type: string, setting: Setting<number> | undefined): Asked | undefined {
  if (setting === undefined) return undefined;
  return { value: setting.value, as: `${type} ${setting.value} of ${by(`resource profile ${profile.id}`, setting)}` };
}

/** The amount in the job itself, 0 included; undefined: none. */
function numberAsked(limits: Limits, type: string): Asked | undefined {
  const text = limits.get(type)?.trim() ?? '';
  if (text === '') return undefined;
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (!(value <= MOST)) refuse(`resourceLimits: ${type} "${text}" must be a number such as 1.5.`);
  return { value, as: `${type} ${text}` };
}

function gpusAsked(limits: Limits, type: string): Asked | undefined {
  const asked = numberAsked(limits, type);
  if (asked !== undefined && !(Number.isInteger(asked.value) && asked.value <= MAX_GPUS)) {
    refuse(`resourceLimits: ${asked.as} must be a whole number of GPUs.`);
  }
  return asked;
}

/**
 * A maximum of 0 means no GPUs; asking for 0 overrides the default. A maximum that is not written does not apply to a
 * resource profile that `resource-profiles` names.
 */
function gpus(
  asked: Asked | undefined,
  byDefault: Setting<number>,
  key: 'max-nvidia-gpus' | 'max-amd-gpus',
  max: Setting<number>,
  isNamed: boolean,
): number {
  if (asked !== undefined && isNamed && max.origin === undefined) return asked.value;
  if (asked !== undefined && asked.value > max.value) {
    refuse(`${asked.as} is above the maximum of ${max.value === 0 ? 'no GPUs' : max.value} (${by(key, max)}).`);
  }
  return Math.min(asked?.value ?? byDefault.value, max.value);
}

/** The value times 10^places, rounded up exactly, as the decimal number that it is written as. */
function roundUp(value: number, places: number): number {
  if (value < 10 ** -places) return value > 0 ? 1 : 0;
  const [whole = '', fraction = ''] = String(value).split('.');
  const kept = Number(whole + fraction.slice(0, places).padEnd(places, '0'));
  return /[1-9]/.test(fraction.slice(places)) ? kept + 1 : kept;
}

const RATIO_SCALE = 1_000_000_000n;

/** ratio x units, rounded up, at least 1. */
function portion(units: number, ratio: number): number {
  const scaled = BigInt(Math.round(ratio * Number(RATIO_SCALE)));
  return Math.max(1, Number((BigInt(units) * scaled + RATIO_SCALE - 1n) / RATIO_SCALE));
}

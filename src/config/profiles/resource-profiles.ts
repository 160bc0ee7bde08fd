/** Resource profiles: named sets of resource limits that users select (configuration.md section 3). */
import { type Naming, readDefaultFile } from '../text/file.ts';
import { nameOnly, parseIni, type Section } from '../text/ini.ts';
import { CPUS, camelCase, GPU_COUNT, MEM_MB, TEXT, type ValueKind } from '../text/kinds.ts';
import { ConfigError, type Origin, type Problem, problem } from '../text/problem.ts';
import { type Findings, readSettings, type Setting, type SettingRow } from '../text/settings.ts';
import {
  CONSTRAINTS,
  type Constraint,
  type KeyValue,
  NODE_LABELS,
  TOLERATIONS,
  type Toleration,
} from './profile-kinds.ts';

/** The resource profile that exists without a section: the job's own values. */
export const CUSTOM = 'custom';

export interface ResourceProfile extends Origin {
  readonly id: string;
  /** The name that users see; default: the id. */
  readonly name: string;
  /** CPUs; absent or 0: not set. */
  readonly cpus?: Setting<number>;
  readonly cpusRequest?: Setting<number>;
  /** MB (10^6 bytes). */
  readonly memMb?: Setting<number>;
  readonly memMbRequest?: Setting<number>;
  readonly nvidiaGpus?: Setting<number>;
  readonly amdGpus?: Setting<number>;
  /** Each with a value. */
  readonly placementConstraints?: Setting<readonly Constraint[]>;
  readonly tolerations?: Setting<readonly Toleration[]>;
  readonly nodeSelector?: Setting<readonly KeyValue[]>;
}

const CHOSEN_CONSTRAINTS: ValueKind<readonly Constraint[]> = {
  allowed: 'a comma-separated list, each key:value',
  write: CONSTRAINTS.write,
  parse: (text) => {
    const parsed = CONSTRAINTS.parse(text);
    if (!parsed.ok) return parsed;
    const names = new Set<string>();
    const wrong = parsed.value.find(({ name, value }) => value === undefined || names.size === names.add(name).size);
    const reason = `a comma-separated list, each key:value, each key once; "${wrong?.name}" is not`;
    return wrong === undefined ? parsed : { ok: false, reason };
  },
};

/** A key of the resource profiles file. */
export interface ResourceProfileRow extends SettingRow {
  readonly doc: string;
  /** The first-party plugin does not know it; default: its newer documentation has it. */
  readonly isOurs?: boolean;
}

/** Every key of the resource profiles file, in the order of the reference. */
export const RESOURCE_PROFILE_TABLE = {
  name: { kind: TEXT, doc: 'Name that users see; default: the name of the section.' },
  cpus: { kind: CPUS, doc: 'CPU limit.' },
  'cpus-request': { kind: CPUS, doc: 'CPU request.' },
  'mem-mb': { kind: MEM_MB, doc: 'Memory limit in MB (10^6 bytes).' },
  'mem-mb-request': { kind: MEM_MB, doc: 'Memory request in MB.' },
  'nvidia-gpus': { kind: GPU_COUNT, doc: 'NVIDIA GPUs.' },
  'amd-gpus': { kind: GPU_COUNT, doc: 'AMD GPUs.' },
  'placement-constraints': { kind: CHOSEN_CONSTRAINTS, doc: 'key:value: required node labels.' },
  tolerations: {
    kind: TOLERATIONS,
    doc: 'key=value:Effect, key:Effect or key: node taints that these jobs tolerate too.',
    isOurs: true,
  },
  'node-selector': { kind: NODE_LABELS, doc: 'key=value: required node labels, not shown to users.', isOurs: true },
} as const satisfies Readonly<Record<string, ResourceProfileRow>>;

interface LoadedResourceProfiles {
  /** In the order of the file. */
  readonly profiles: readonly ResourceProfile[];
  readonly warnings: readonly Problem[];
}

/** Reads the file; a missing one is empty unless an option names it, or it had some `before`. Throws ConfigError with all problems. */
export function readResourceProfiles(
  file: string,
  by?: Naming,
  before: readonly ResourceProfile[] = [],
): LoadedResourceProfiles {
  const found = readDefaultFile(file, by, before.length > 0);
  return found === undefined ? { profiles: [], warnings: [] } : parseResourceProfiles(file, found.text);
}

/** Parses the text of the file. Throws ConfigError `invalid` with all problems. */
export function parseResourceProfiles(file: string, text: string): LoadedResourceProfiles {
  const parsed = parseIni(file, text);
  const findings: Findings = { problems: [...parsed.problems], warnings: [] };
  for (const { key, line } of parsed.head) {
    const message = 'is set before the first section: begin with [name-of-profile]';
    findings.problems.push(problem({ file, line }, nameOnly(key), message));
  }
  const profiles = parsed.sections.map((section) => readSection(file, section, findings));
  if (findings.problems.length > 0) throw new ConfigError('invalid', findings.problems);
  return { profiles, warnings: findings.warnings };
}

/** A request above its limit is a problem: every job with this resource profile would be refused. */
const REQUESTS = [
  ['cpus-request', 'cpus'],
  ['mem-mb-request', 'mem-mb'],
] as const;

function readSection(file: string, { name: id, line, entries }: Section, findings: Findings): ResourceProfile {
  const written = entries.map((entry) => ({ ...entry, file }));
  const settings = readSettings(RESOURCE_PROFILE_TABLE, written, 'a key of resource profiles', findings);
  const fields: Record<string, unknown> = { id, name: id, file, line };
  for (const [key, setting] of settings) {
    if (id === CUSTOM && key !== 'name' && setting.origin !== undefined) {
      const message = "is not allowed in [custom], which means the job's own values";
      findings.problems.push(problem(setting.origin, key, message));
    }
    if (setting.value !== undefined) fields[camelCase(key)] = key === 'name' ? setting.value : setting;
  }
  for (const [request, limit] of REQUESTS) {
    const [asked, most] = [settings.get(request), settings.get(limit)];
    if (asked?.origin === undefined || Number(most?.value ?? 0) === 0 || Number(asked.value) <= Number(most?.value))
      continue;
    const message = `${asked.value} is above ${limit}=${most?.value} on line ${most?.origin?.line}`;
    findings.problems.push(problem(asked.origin, request, message));
  }
  return fields as unknown as ResourceProfile;
}

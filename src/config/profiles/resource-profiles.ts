/** Resource profiles: named sets of limits that users may pick (configuration.md section 3). */
import { type Naming, readNamedFile, readTextFile } from '../text/file.ts';
import { nameOnly, parseIni, type Section } from '../text/ini.ts';
import { ConfigError, type Origin, type Problem, problem } from '../text/problem.ts';
import { didYouMean } from '../text/suggest.ts';
import { decimal, GPU_COUNT, type Kind, TEXT } from '../text/values.ts';
import { CONSTRAINTS, type Constraint } from './profile-kinds.ts';
import type { Setting } from './profiles.ts';

/** The resource profile that needs no section: the job's own values. */
export const CUSTOM = 'custom';

export interface ResourceProfile extends Origin {
  readonly id: string;
  /** What users are shown; default: the id. */
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
}

const CHOSEN_CONSTRAINTS: Kind<readonly Constraint[]> = {
  allowed: 'a comma-separated list, each key:value',
  parse: (text) => {
    const parsed = CONSTRAINTS.parse(text);
    if (!parsed.ok) return parsed;
    const names = parsed.value.map(({ name }) => name);
    const open = parsed.value.find(({ name, value }, index) => value === undefined || names.indexOf(name) !== index);
    const reason = `a comma-separated list, each key:value, each key once; "${open?.name}" is not`;
    return open === undefined ? parsed : { ok: false, reason };
  },
};

interface Row {
  readonly member: Exclude<keyof ResourceProfile, 'id' | 'file' | 'line'>;
  readonly kind: Kind<unknown>;
  readonly doc: string;
}

const CPUS = decimal(0, 1_000_000);
const MEM_MB = decimal(0, 1_000_000_000_000);

/** Every key of a resource profiles file, in the order of the reference. */
export const RESOURCE_PROFILE_TABLE: ReadonlyMap<string, Row> = new Map<string, Row>([
  ['name', { member: 'name', kind: TEXT, doc: 'Name shown to users; default: the name of the section.' }],
  ['cpus', { member: 'cpus', kind: CPUS, doc: 'Limit of CPUs.' }],
  ['cpus-request', { member: 'cpusRequest', kind: CPUS, doc: 'CPUs requested.' }],
  ['mem-mb', { member: 'memMb', kind: MEM_MB, doc: 'Limit of memory in MB (10^6 bytes).' }],
  ['mem-mb-request', { member: 'memMbRequest', kind: MEM_MB, doc: 'MB of memory requested.' }],
  ['nvidia-gpus', { member: 'nvidiaGpus', kind: GPU_COUNT, doc: 'NVIDIA GPUs.' }],
  ['amd-gpus', { member: 'amdGpus', kind: GPU_COUNT, doc: 'AMD GPUs.' }],
  [
    'placement-constraints',
    { member: 'placementConstraints', kind: CHOSEN_CONSTRAINTS, doc: 'key:value: node labels to match.' },
  ],
]);

interface LoadedResourceProfiles {
  /** In the order of the file. */
  readonly profiles: readonly ResourceProfile[];
  readonly warnings: readonly Problem[];
}

/** Reads a resource profiles file; a missing one is empty, unless it was named. Throws ConfigError with all problems. */
export function readResourceProfiles(file: string, by?: Naming): LoadedResourceProfiles {
  const found = by === undefined ? readTextFile(file) : readNamedFile(file, by);
  return found === undefined ? { profiles: [], warnings: [] } : parseResourceProfiles(file, found.text);
}

/** Reads the text of a resource profiles file. Throws ConfigError `wrong` with all problems. */
export function parseResourceProfiles(file: string, text: string): LoadedResourceProfiles {
  const parsed = parseIni(file, text);
  const problems: Problem[] = [...parsed.problems];
  const warnings: Problem[] = [];
  for (const { key, line } of parsed.head) {
    problems.push(
      problem({ file, line }, nameOnly(key), 'stands before the first section: begin with [name-of-profile]'),
    );
  }
  const profiles = parsed.sections.map((section) => readSection(file, section, problems, warnings));
  if (problems.length > 0) throw new ConfigError('wrong', problems);
  return { profiles, warnings };
}

function readSection(file: string, section: Section, problems: Problem[], warnings: Problem[]): ResourceProfile {
  const id = section.name;
  const at = { file, line: section.line };
  const members: Record<string, unknown> = { id, name: id, ...at };
  for (const { key, value, line } of section.entries) {
    const origin = { file, line };
    const row = RESOURCE_PROFILE_TABLE.get(key);
    if (row === undefined) {
      const said = `is not a key of resource profiles${didYouMean(key, RESOURCE_PROFILE_TABLE.keys())}`;
      problems.push(problem(origin, nameOnly(key), said));
      continue;
    }
    if (value === '') continue;
    const parsed = row.kind.parse(value);
    if (!parsed.ok) problems.push(problem(origin, key, `"${value}" must be ${parsed.reason}`));
    else {
      if (parsed.warning !== undefined) warnings.push(problem(origin, key, parsed.warning));
      members[row.member] = key === 'name' ? parsed.value : { value: parsed.value, origin };
    }
    if (id === CUSTOM && key !== 'name') {
      problems.push(problem(origin, key, 'has no meaning in [custom], which stands for the values of the job itself'));
    }
  }
  return members as unknown as ResourceProfile;
}

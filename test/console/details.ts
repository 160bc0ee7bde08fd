/** What the console shows of one job and of the cluster, in words. */
import { toYaml } from '../../src/cli/yaml.ts';
import type { Frame, JobFrame } from '../support/launcher.ts';

/** Fields that have a line of their own, in this order. */
const FIRST = ['id', 'name', 'user', 'status', 'statusCode', 'statusMessage', 'exitCode', 'submissionTime', 'host'];

const isEmpty = (value: unknown): boolean =>
  value === '' || (Array.isArray(value) && value.length === 0) || value === undefined || value === null;

/** Every field of a job that is not empty; the reason is complete. */
export function jobLines(job: JobFrame): readonly string[] {
  const others = Object.keys(job).filter((name) => !FIRST.includes(name));
  const shown = [...FIRST, ...others].filter((name) => !isEmpty(job[name])).map((name) => [name, job[name]]);
  return toYaml(Object.fromEntries(shown)).trimEnd().split('\n');
}

interface NamedLimit {
  readonly type: string;
  readonly defaultValue?: string;
  readonly maxValue?: string;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** `CPU: 1 by default, at most 2`. */
function limitLine({ type, defaultValue, maxValue }: NamedLimit): string {
  const parts = [
    ...(defaultValue === undefined ? [] : [`${defaultValue} by default`]),
    ...(maxValue === undefined ? [] : [`at most ${maxValue}`]),
  ];
  return `${type}: ${parts.join(', ') || 'no default and no maximum'}`;
}

/** What a user may do on the cluster. */
export function clusterLines(info: Frame): readonly string[] {
  const images = list(info['images']).map(String);
  const byDefault = textOf(info['defaultImage']);
  const yes = (name: string): boolean => info[name] === true;
  const constraints = list(info['placementConstraints']) as readonly { name: string; value?: string }[];
  const profiles = list(info['resourceProfiles']) as readonly { name: string; displayName?: string }[];
  return [
    `Jobs run in containers: ${yes('supportsContainers') ? 'yes' : 'no'}.`,
    images.length === 0 ? 'No images are offered.' : `Images that are offered: ${images.join(', ')}.`,
    byDefault === '' ? 'There is no default image.' : `The default image is ${byDefault}.`,
    `Other images are ${yes('allowUnknownImages') ? 'allowed' : 'refused'}.`,
    ...(list(info['resourceLimits']) as readonly NamedLimit[]).map(limitLine),
    constraints.length === 0
      ? 'There are no placement constraints.'
      : `Placement constraints: ${constraints.map(({ name, value }) => (value === undefined || value === '' ? name : `${name}=${value}`)).join(', ')}.`,
    profiles.length === 0
      ? 'There are no resource profiles.'
      : `Resource profiles: ${profiles.map(({ name, displayName }) => displayName || name).join(', ')}.`,
  ];
}

/** The sample jobs of fixtures/jobs/. */
import { readdirSync, readFileSync } from 'node:fs';

/** A sample job of fixtures/jobs, as a launcher would submit it. */
interface Sample {
  readonly file: string;
  readonly job: Readonly<Record<string, unknown>> & { readonly name: string };
}

const folder = new URL('../../fixtures/jobs/', import.meta.url);

/** All sample jobs, by file name. */
export function samples(): readonly Sample[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({ file, job: JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Sample['job'] }));
}

/** One of them, by file name. */
export function sample(file: string): Sample['job'] {
  const found = samples().find((each) => each.file === file);
  if (found === undefined) throw new Error(`no sample job ${file} in ${folder.pathname}`);
  return found.job;
}

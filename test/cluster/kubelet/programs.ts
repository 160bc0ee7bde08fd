/**
 * Programs that stand for those of an image: a directory holds one directory an image (`r-session` for
 * `registry/team/r-session:4.5`), and in it files at the paths that the image would have them at.
 */
import { cpSync, existsSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';

/** The path on this machine of a program of an image; the program itself where the image brings none. */
export type Programs = (image: string, program: string) => string;

/** Copies the directory to where the processes of containers, which run as other users, can read it. */
export function createPrograms(source: string | undefined, target: string): Programs {
  if (source === undefined) return (_image, program) => program;
  cpSync(source, target, { recursive: true });
  return (image, program) => {
    const name =
      image
        .split('/')
        .at(-1)
        ?.replace(/[:@].*$/, '') ?? '';
    const path = join(target, name, normalize(program));
    return isAbsolute(program) && name !== '' && existsSync(path) ? path : program;
  };
}

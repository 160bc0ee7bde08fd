/** The software bill of materials, in CycloneDX. */
import type { Component } from './components.ts';

/** The bill of materials in the CycloneDX 1.6 format. Without serial number and time, so that it can be made again. */
export function sbom(name: string, version: string, components: readonly Component[]): string {
  const root = `pkg:generic/${name}@${version}`;
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': root, name, version, purl: root, licenses: [license('MIT')] },
    },
    components: components.map((component) => ({
      type: component.name === 'node' ? 'platform' : 'library',
      'bom-ref': component.purl,
      name: component.name,
      version: component.version,
      purl: component.purl,
      licenses: [license(component.license)],
      hashes: [{ alg: 'SHA-512', content: component.sha512 }],
    })),
    dependencies: [
      { ref: root, dependsOn: components.map(({ purl }) => purl) },
      ...components.map(({ purl }) => ({ ref: purl })),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function license(id: string): unknown {
  return { license: { id } };
}

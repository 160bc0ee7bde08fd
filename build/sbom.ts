/** The software bill of materials, in CycloneDX. */
import type { Component } from './components.ts';

interface Contents {
  readonly name: string;
  readonly version: string;
  /** Of the executable, in hexadecimal. */
  readonly sha256: string;
  readonly node: Component;
  /** What Node.js is made of. */
  readonly nodeParts: readonly Component[];
  /** The bundled packages. */
  readonly bundled: readonly Component[];
}

/** The bill of materials in the CycloneDX 1.6 format. Without serial number and time, so that it can be made again. */
export function sbom({ name, version, sha256, node, nodeParts, bundled }: Contents): string {
  const purl = `pkg:generic/${name}@${version}`;
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': purl,
        name,
        version,
        purl,
        licenses: [{ license: { id: 'MIT' } }],
        hashes: [{ alg: 'SHA-256', content: sha256 }],
      },
    },
    components: [
      described(node, 'platform'),
      ...nodeParts.map((part) => described(part, 'library')),
      ...bundled.map((part) => described(part, 'library')),
    ],
    dependencies: [
      { ref: purl, dependsOn: [node, ...bundled].map((part) => part.purl) },
      { ref: node.purl, dependsOn: nodeParts.map((part) => part.purl) },
      ...[...nodeParts, ...bundled].map((part) => ({ ref: part.purl })),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function described({ name, version, license, purl, cpe, hash }: Component, type: 'platform' | 'library'): unknown {
  const isOne = !license.includes(' ') && !license.startsWith('LicenseRef-');
  return {
    type,
    'bom-ref': purl,
    name,
    version,
    licenses: [isOne ? { license: { id: license } } : { expression: license }],
    purl,
    ...(cpe === undefined ? {} : { cpe }),
    ...(hash === undefined ? {} : { hashes: [hash] }),
  };
}

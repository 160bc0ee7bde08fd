/**
 * What the registries of the recorded network said of images that nobody could pull there.
 */
import type { ImageRule } from '../kubelet/kubelet.ts';

const PLAIN_HTTP = 'tls: first record does not look like a TLS handshake';
const CAUSES: Readonly<Record<string, string>> = {
  '127.0.0.1:5000/a/b:nope': PLAIN_HTTP,
  '127.0.0.1:5000/priv/b:1': PLAIN_HTTP,
  '10.250.0.99:5999/a/b:1': 'dial tcp 10.250.0.99:5999: connect: no route to host',
  'localhost/none:9': 'dial tcp 127.0.0.1:443: connect: connection refused',
};

export const recordedImages: ImageRule = (image) => {
  const cause = CAUSES[image];
  if (cause === undefined) return undefined;
  const [, registry, repository, tag] = /^([^/]+)\/(.*):(.*)$/.exec(image) ?? [];
  const head = `failed to pull and unpack image "${image}": failed to resolve image: failed to do request: Head`;
  return { type: 'unpullable', message: `${head} "https://${registry}/v2/${repository}/manifests/${tag}": ${cause}` };
};

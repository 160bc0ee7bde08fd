/** The cache of decoded values finds values by their bytes, also two that belong to the same pair of slots. */
import t from 'tap';
import { ValueCache } from '../../../../src/kubernetes/watch/protobuf/value-cache.ts';

const viewOf = (text: string): DataView<ArrayBuffer> => {
  const bytes = Uint8Array.from(Buffer.from(text));
  return new DataView(bytes.buffer);
};

function find(cache: ValueCache, text: string, type: unknown = 'text'): unknown {
  const view = viewOf(text);
  const slot = cache.find(cache.pair(view, 0, view.byteLength), type, view, 0, view.byteLength);
  return slot === undefined ? undefined : cache.value(slot);
}

function keep(cache: ValueCache, text: string, value: unknown, type: unknown = 'text'): void {
  const view = viewOf(text);
  cache.keep(cache.pair(view, 0, view.byteLength), type, view, 0, view.byteLength, value);
}

const pairOf = (text: string): number => new ValueCache().pair(viewOf(text), 0, Buffer.byteLength(text));

t.test('values are found by their bytes and their type', async (t) => {
  const cache = new ValueCache();
  keep(cache, 'Running', 1);
  t.equal(find(cache, 'Running'), 1);
  t.equal(find(cache, 'Running', 'time'), undefined);
  t.equal(find(cache, 'Runnin'), undefined);
  t.equal(find(cache, 'running'), undefined);
});

t.test('a value of the same pair and length is not found for another one, whichever byte differs', async (t) => {
  const cache = new ValueCache();
  keep(cache, 'pod-00000', 1);
  for (const text of ['pod-00001', 'pod-0000x', 'qod-00000']) {
    const view = viewOf(text);
    t.equal(cache.find(pairOf('pod-00000'), 'text', view, 0, view.byteLength), undefined, text);
  }
});

t.test('two values of the same pair do not replace each other', async (t) => {
  t.equal(pairOf('jsmith'), pairOf('rs-launcher-container'));
  const cache = new ValueCache();
  for (const [text, value] of [
    ['jsmith', 1],
    ['rs-launcher-container', 2],
  ] as const)
    keep(cache, text, value);
  t.equal(find(cache, 'jsmith'), 1);
  t.equal(find(cache, 'rs-launcher-container'), 2);
});

t.test('a third value of a pair replaces one of them', async (t) => {
  const cache = new ValueCache();
  const texts = ['jsmith'];
  for (let i = 0; texts.length < 3; i++) if (pairOf(`value ${i}`) === pairOf('jsmith')) texts.push(`value ${i}`);
  for (const [index, text] of texts.entries()) keep(cache, text, index);
  t.strictSame(
    texts.map((text) => find(cache, text)),
    [undefined, 1, 2],
  );
});

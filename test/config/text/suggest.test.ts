/** Suggestions for mistyped names. */
import t from 'tap';
import { didYouMean, suggestion } from '../../../src/config/text/suggest.ts';

t.test('suggests the most similar known name', async (t) => {
  const known = ['api-url', 'auth-token', 'auth-token-path', 'fetch-limit', 'max-cpus', 'max-mem-mb'];
  t.equal(suggestion('fech-limit', known), 'fetch-limit');
  t.equal(suggestion('API_URL', known), 'api-url');
  t.equal(suggestion('apiurl', known), 'api-url');
  t.equal(suggestion('max-cpu', known), 'max-cpus');
  t.equal(suggestion('mxa-cpus', known), 'max-cpus');
  t.equal(suggestion('completely-different', known), undefined);
  t.equal(didYouMean('auth-tokn', known), ' (did you mean "auth-token"?)');
  t.equal(didYouMean('zzz', known), '');
});

/** The functions that vectors and the property test use besides Go's own, as `make-vectors.go` has them. */
import { toBytes } from '../../../src/templates/bytes.ts';
import { type FunctionTable, GoError } from '../../../src/templates/contract.ts';
import {
  entriesOf,
  type GoFunction,
  itemsOf,
  Sized,
  Slice,
  type TemplateFunction,
} from '../../../src/templates/values.ts';

const ANY = 'interface {}';

const define = (
  name: string,
  parameters: readonly string[],
  call: GoFunction['call'],
  variadic = false,
): [string, GoFunction] => [name, { name, parameters, variadic, call }];

export const testFunctions: FunctionTable = new Map<string, TemplateFunction>([
  [
    'include',
    {
      name: 'include',
      parameters: ['string', ANY],
      variadic: false,
      run: ([name, data], context) => context.render(String(name), data),
    },
  ],
  define('list', [ANY], (items) => items, true),
  define('strings', ['string'], (items) => new Slice('string', items), true),
  define('bytes', ['string'], ([text]) => {
    return new Slice(
      'uint8',
      Array.from(toBytes(String(text)), (byte) => new Sized('uint8', BigInt(byte))),
    );
  }),
  define('int64', ['int'], ([n]) => new Sized('int64', typeof n === 'bigint' ? n : 0n)),
  define('uint8', ['int'], ([n]) => new Sized('uint8', typeof n === 'bigint' ? n : 0n)),
  define('float', ['string'], ([text]) => Number(String(text).replace('Inf', 'Infinity'))),
  define('null', [], () => null),
  define('boom', [], () => {
    throw new GoError('boom');
  }),
  define('wantInt64', ['int64'], ([n]) => n),
  define('wantUint', ['uint'], ([n]) => n),
  define('wantFloat', ['float64'], ([f]) => f),
  define('wantBool', ['bool'], ([b]) => b),
  define('wantMap', ['map[string]interface {}'], ([map]) => BigInt(entriesOf(map)?.size ?? 0)),
  define('wantList', ['[]interface {}'], ([list]) => BigInt(itemsOf(list)?.length ?? 0)),
]);

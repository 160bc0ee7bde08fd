/** All functions of templates beside those of the language: sprig's, Helm's, and those that are refused with the reason. */

import type { FunctionTable, RefusedFunction } from '../contract.ts';
import type { TemplateFunction } from '../values.ts';
import { CRYPTO_FUNCTIONS } from './crypto-functions.ts';
import { DATE_FUNCTIONS } from './date-functions.ts';
import { DEFAULT_FUNCTIONS } from './default-functions.ts';
import { DICT_FUNCTIONS } from './dict-functions.ts';
import { DOCUMENT_FUNCTIONS } from './document-functions.ts';
import { LIST_FUNCTIONS } from './list-functions.ts';
import { MATH_FUNCTIONS } from './math-functions.ts';
import { PATH_FUNCTIONS } from './path-functions.ts';
import { REGEX_FUNCTIONS } from './regex-functions.ts';
import { SEMVER_FUNCTIONS } from './semver-functions.ts';
import { TEXT_FUNCTIONS } from './text-functions.ts';

const RANDOM = 'it is random, and a template must give the same result each time';
const HOST = 'it depends on the host, which differs between instances';
const NETWORK = 'it asks the network';
const CLUSTER = 'it asks the cluster';

/** Reasons by name. */
const REFUSED: Readonly<Record<string, string>> = {
  env: HOST,
  expandenv: HOST,
  getHostByName: NETWORK,
  lookup: CLUSTER,
  randAlphaNum: RANDOM,
  randAlpha: RANDOM,
  randAscii: RANDOM,
  randNumeric: RANDOM,
  randBytes: RANDOM,
  randInt: RANDOM,
  shuffle: RANDOM,
  uuidv4: RANDOM,
  bcrypt: RANDOM,
  htpasswd: RANDOM,
  encryptAES: RANDOM,
  genPrivateKey: RANDOM,
  genCA: RANDOM,
  genCAWithKey: RANDOM,
  genSelfSignedCert: RANDOM,
  genSelfSignedCertWithKey: RANDOM,
  genSignedCert: RANDOM,
  genSignedCertWithKey: RANDOM,
  buildCustomCert: 'it serves only the functions that make certificates, which are random',
};

const FUNCTIONS: readonly TemplateFunction[] = [
  ...TEXT_FUNCTIONS,
  ...MATH_FUNCTIONS,
  ...LIST_FUNCTIONS,
  ...DICT_FUNCTIONS,
  ...DEFAULT_FUNCTIONS,
  ...DOCUMENT_FUNCTIONS,
  ...REGEX_FUNCTIONS,
  ...DATE_FUNCTIONS,
  ...CRYPTO_FUNCTIONS,
  ...PATH_FUNCTIONS,
  ...SEMVER_FUNCTIONS,
];

/** Functions by name. */
export const TEMPLATE_FUNCTIONS: FunctionTable = new Map<string, TemplateFunction | RefusedFunction>([
  ...FUNCTIONS.map((each): [string, TemplateFunction] => [each.name, each]),
  ...Object.entries(REFUSED).map(([name, refused]): [string, RefusedFunction] => [name, { name, refused }]),
]);

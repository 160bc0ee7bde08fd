/**
 * Which encoding an answer has: the first that the client accepts. Jobs, pods, services and Statuses are written as
 * protobuf, too; everything else as JSON only.
 */
import { ProtobufWriter, readSchema } from '../protobuf.ts';
import { encode } from './answer.ts';

export interface Encoding {
  /** Content types of single bodies and of watches. */
  readonly type: string;
  readonly streamType: string;
  readonly body: (object: object) => string | Buffer;
  /** One event of a watch. */
  readonly event: (event: { readonly type: string; readonly object: object }) => string | Buffer;
}

type Encodings = (accept: string | undefined, kind: string) => Encoding;

export const JSON_ENCODING: Encoding = {
  type: 'application/json',
  streamType: 'application/json',
  body: encode,
  event: encode,
};

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

export function createEncodings(): Encodings {
  const writer = new ProtobufWriter(readSchema());
  const protobuf: Encoding = {
    type: PROTOBUF,
    streamType: `${PROTOBUF};stream=watch`,
    body: (object) => writer.body({ ...object }),
    event: ({ type, object }) => writer.frame({ type, object: { ...object } }),
  };
  return (accept, kind) => (accept?.startsWith(PROTOBUF) && writer.schema.has(kind) ? protobuf : JSON_ENCODING);
}

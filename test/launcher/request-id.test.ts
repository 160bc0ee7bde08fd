/** Request ids of 64 bits are read exactly. */
import t from 'tap';
import { type ParsedRequest, parseRequest } from '../../src/launcher/requests.ts';

const parse = (message: unknown): ParsedRequest => parseRequest(Buffer.from(JSON.stringify(message)));

t.test('[id-64-bit] request ids of 64 bits are kept exactly', (t) => {
  const idOf = (json: string): unknown => {
    const parsed = parseRequest(Buffer.from(json));
    return parsed.outcome === 'dropped'
      ? undefined
      : parsed.outcome === 'refused'
        ? parsed.requestId
        : parsed.request.requestId;
  };
  t.equal(idOf('{"messageType":0,"requestId":18446744073709551615}'), '18446744073709551615');
  t.equal(
    idOf('{"messageType":0,"requestId":9007199254740993,"a":{"requestId":18446744073709551611}}'),
    '9007199254740993',
  );
  t.equal(idOf('{"requestId":9007199254740993,"messageType":0,"requestId":9007199254740995}'), '9007199254740995');
  t.equal(
    idOf(
      String.raw`{"a\\":"\"requestId\":1","b\"":{"requestId":18446744073709551611},"requestId":9007199254740993,"c":"\\"}`,
    ),
    '9007199254740993',
    'quotes and backslashes in strings',
  );
  t.equal(idOf('{"messageType":999,"requestId":9007199254740993}'), '9007199254740993');
  t.equal(idOf('{"messageType":0,"requestId":18446744073709551616}'), undefined, 'more than 64 bits');
  t.equal(idOf('{"messageType":0,"requestId":1e400}'), undefined);
  t.end();
});

t.test('[id-unreadable] a message without a readable id is not answered', (t) => {
  for (const requestId of [undefined, null, -1, 1.5, '1', true, [], {}]) {
    t.equal(parse({ messageType: 3, requestId, username: 'u', jobId: '*' }).outcome, 'dropped', String(requestId));
  }
  for (const message of [null, 3, 'x', true, [], [{ messageType: 0, requestId: 1 }]]) {
    t.equal(parse(message).outcome, 'dropped', JSON.stringify(message));
  }
  t.end();
});

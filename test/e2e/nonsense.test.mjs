// Whatever a client sends, it learns what was wrong, in its format, and nobody else
// notices.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { encode } from '@msgpack/msgpack';
import { Server } from './harness.mjs';

const badText = {
  'no JSON': 'hello',
  nothing: '',
  'half an object': '{"type":"mess',
  'two values': '{"type":"typing"}{"type":"typing"}',
  'an array': '["message"]',
  'a number': '7',
  null: 'null',
  'no type': '{"content":"x"}',
  'an unknown type': '{"type":"shout","content":"x"}',
  'a type of the server': '{"type":"joined"}',
  'a type that is a number': '{"type":1}',
  'content that is a number': '{"type":"message","content":7}',
  'content that is an object': '{"type":"message","content":{"a":1}}',
  'content that is too long': JSON.stringify({ type: 'message', content: 'x'.repeat(4097) }),
  'content that is too long in bytes': JSON.stringify({ type: 'message', content: 'ü'.repeat(2049) }),
  'half a surrogate pair': '{"type":"message","content":"\\ud83d"}',
  'a key that is a number': '{"type":"message","content":"x","idempotency_key":7}',
  'a key that is too long': JSON.stringify({ type: 'message', content: 'x', idempotency_key: 'k'.repeat(65) }),
  'a thousand brackets': `{"type":"typing","x":${'['.repeat(1000)}`,
};

const badBytes = {
  nothing: new Uint8Array(),
  'a text': encode('hello'),
  nil: encode(null),
  'an array': encode(['message']),
  'an unknown type': encode({ type: 'shout' }),
  'content that is a number': encode({ type: 'message', content: 7 }),
  'content that is bytes': encode({ type: 'message', content: new Uint8Array([1, 2]) }),
  'content that is too long': encode({ type: 'message', content: 'x'.repeat(4097) }),
  'text that is no UTF-8': Uint8Array.of(0x82, 0xa4, ...Buffer.from('type'), 0xa7, ...Buffer.from('message'), 0xa7, ...Buffer.from('content'), 0xa1, 0xff),
  'half a map': encode({ type: 'typing' }).slice(0, 5),
  'bytes behind it': Uint8Array.of(...encode({ type: 'typing' }), 0xc0),
  'a map of four thousand million': Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff),
  'JSON in a binary frame': Buffer.from('{"type":"typing"}'),
};

test('nonsense', async (t) => {
  const server = await (await Server.start(t)).up();

  for (const [protocol, kind, cases] of [
    ['edgechat.v1.json', 'text', badText],
    ['edgechat.v1.msgpack', 'bytes', badBytes],
    ['edgechat.v1.json', 'bytes', badBytes],
    ['edgechat.v1.msgpack', 'text', badText],
  ]) {
    await t.test(`${kind} to ${protocol}`, async () => {
      const sender = await server.connect('nonsense', { username: 'Sender' }, protocol);
      const witness = await server.connect('nonsense', { username: 'Witness' }, 'edgechat.v1.json');
      await witness.next('joined', 'Witness');
      for (const [name, frame] of Object.entries(cases)) {
        sender.send(frame);
        const error = await sender.next('error');
        assert.equal(error.code, 'invalid_message', name);
        assert.ok(error.message.length > 10, `${name}: ${error.message}`);
        sender.say(`after ${name}`);
        await sender.next('message', `after ${name}`);
      }
      assert.equal(sender.seen.filter((frame) => frame.type === 'error').length, Object.keys(cases).length, 'one error for each');
      await witness.next('message', `after ${Object.keys(cases).at(-1)}`);
      assert.deepEqual(
        witness.seen.filter((frame) => !['subscribed', 'joined'].includes(frame.type)).map((frame) => frame.content),
        Object.keys(cases).map((name) => `after ${name}`), 'the room saw the valid ones alone');
      await sender.close();
      await witness.close();
    });
  }

  await t.test('an error names the frame by its key', async () => {
    const client = await server.connect('key', {}, 'edgechat.v1.json');
    client.send({ type: 'message', idempotency_key: 'c-18', content: 'x'.repeat(5000) });
    const error = await client.next('error');
    assert.deepEqual({ ...error }, { type: 'error', code: 'invalid_message', message: 'content is longer than 4096 bytes', idempotency_key: 'c-18' });
    await client.close();
  });

  await t.test('what is unknown or left out is no nonsense', async () => {
    const client = await server.connect('lenient', {}, 'edgechat.v1.json');
    client.send('{"type":"message","content":"extra","color":"red","nested":[{"a":null}]}');
    await client.next('message', 'extra');
    client.send(' {"type" : "message", "content":"\\u0041\\ud83d\\ude00"}\n');
    await client.next('message', 'A😀');
    client.say('x'.repeat(4096));
    await client.next('message', 'x'.repeat(4096));
    await client.close();
  });

  await t.test('frames that end a connection', async () => {
    const utf8 = await server.connect('end');
    utf8.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    assert.equal((await utf8.end()).code, 1007);
    const long = await server.connect('end');
    long.send('x'.repeat(4 << 20));
    assert.equal((await long.end()).code, 1009);
  });

  await t.test('handshakes that are refused', async () => {
    for (const [address, status, code] of [
      ['/chat/room/a%20b', 400, 'invalid_room'],
      [`/chat/room/${'r'.repeat(65)}`, 400, 'invalid_room'],
      ['/chat/room/%ff', 400, 'invalid_room'],
      ['/chat/room/general?username=' + 'u'.repeat(33), 400, 'invalid_username'],
      ['/chat/room/general?username=a%07b', 400, 'invalid_username'],
      ['/chat/room/general?username=a%E2%80%AEb', 400, 'invalid_username'],
      ['/chat/room/general?since=yesterday', 400, 'invalid_query'],
      ['/chat/room/general?limit=-1', 400, 'invalid_query'],
      ['/chat/room/general?limit=many', 400, 'invalid_query'],
      ['/chat/room/general?format=xml', 400, 'invalid_query'],
      ['/chat/room', 404, 'not_found'],
      ['/nowhere', 404, 'not_found'],
    ]) {
      const answer = await server.refusal(address);
      assert.equal(answer.status, status, `${address}: ${JSON.stringify(answer)}`);
      assert.equal(answer.error.code, code, address);
      assert.ok(answer.error.message.length > 10, address);
      assert.match(answer.headers['content-type'], /^application\/json/);
    }
    const origin = await server.refusal('/chat/room/general', undefined, { origin: 'http://elsewhere.example' });
    assert.equal(origin.status, 403);
    assert.equal(origin.error.code, 'origin_not_allowed');
  });

  await t.test('names of any script are taken', async () => {
    const client = await server.connect('Küche-2.台所', { username: '  Zoë 李 ', since: 'all' });
    assert.equal((await client.next('subscribed')).username, 'Zoë 李');
    await client.close();
  });

  await t.test('plain HTTP of the WebSocket path', async () => {
    const answer = await fetch(`${server.http}/chat/room/general`);
    assert.equal(answer.status, 426);
    assert.equal(answer.headers.get('upgrade'), 'websocket');
    assert.match((await answer.json()).error.message, /WebSocket/);
    const post = await fetch(`${server.http}/chat/room/general`, { method: 'POST' });
    assert.equal(post.status, 405);
    assert.match(post.headers.get('allow'), /GET/);
  });

  await t.test('a handshake without a key', async () => {
    const answer = await new Promise((done, fail) => {
      const request = http.get(`${server.http}/chat/room/general`, { headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' } });
      request.on('response', done).on('upgrade', () => fail(new Error('taken'))).on('error', fail);
    });
    assert.equal(answer.statusCode, 400);
    answer.resume();
  });
});

// JSON and MessagePack in one room, with a MessagePack implementation that is not ours.

import assert from 'node:assert/strict';
import test from 'node:test';
import { encode } from '@msgpack/msgpack';
import { Server } from './harness.mjs';

const words = ['plain', 'Grüße, Zoë 👩‍💻', '"quoted" \\ and / \u2028 <b>&amp;</b>', 'line\nline\ttab', 'x'.repeat(4096), '\u0000\u001f'];

test('formats', async (t) => {
  const server = await (await Server.start(t)).up();
  const json = await server.connect('both', { username: 'Jay' }, 'edgechat.v1.json');
  const pack = await server.connect('both', { username: 'Emma' }, 'edgechat.v1.msgpack');
  assert.equal(pack.socket.protocol, 'edgechat.v1.msgpack');

  // same compares a frame as both saw it: all is equal but the form of the time.
  function same(a, b) {
    assert.deepEqual(Object.keys(b), Object.keys(a));
    assert.equal(typeof a.timestamp, 'string');
    assert.ok(Number.isInteger(b.timestamp), `timestamp ${b.timestamp}`);
    assert.equal(b.timestamp, Date.parse(a.timestamp));
    assert.deepEqual({ ...b, timestamp: '' }, { ...a, timestamp: '' });
  }

  await t.test('control frames', async () => {
    const a = await json.next('subscribed');
    const b = await pack.next('subscribed');
    assert.deepEqual(Object.keys(b), Object.keys(a));
    assert.deepEqual({ ...b, username: '', members: 0 }, { ...a, username: '', members: 0 });
    pack.send({ type: 'message', content: 7 });
    const error = await pack.next('error');
    assert.equal(error.code, 'invalid_message');
    pack.say('acknowledged', 'p-1');
    const ack = await pack.next('ack');
    assert.equal(ack.durable, true);
    assert.equal(ack.id, (await json.next('message')).id);
  });

  await t.test('messages both ways', async () => {
    for (const content of words) {
      for (const [from, name] of [[json, 'Jay'], [pack, 'Emma']]) {
        from.say(content);
        const [a, b] = [await json.next('message'), await pack.next('message')];
        assert.equal(a.content, content);
        assert.equal(a.username, name);
        same(a, b);
      }
    }
  });

  await t.test('events', async () => {
    json.send({ type: 'typing' });
    same(await json.next('typing'), await pack.next('typing'));
    const third = await server.connect('both', { username: 'Third', format: 'msgpack' });
    same(await json.next('joined', 'Third'), await pack.next('joined', 'Third'));
    assert.ok(Number.isInteger((await third.next('joined')).timestamp), 'format=msgpack without a subprotocol');
    await third.close();
    const agreed = await server.connect('agreed', { format: 'msgpack' }, 'edgechat.v1.json');
    assert.equal(typeof (await agreed.next('joined')).timestamp, 'string', 'a subprotocol decides, whatever format says');
    await agreed.close();
    same(await json.next('left', 'Third'), await pack.next('left', 'Third'));
  });

  await t.test('either format is taken in its own kind of frame', async () => {
    json.send(encode({ type: 'message', content: 'binary from a JSON client' }));
    same(await json.next('message', 'binary from a JSON client'), await pack.next('message', 'binary from a JSON client'));
    pack.send('{"type":"message","content":"text from a MessagePack client"}');
    same(await json.next('message', 'text from a MessagePack client'), await pack.next('message', 'text from a MessagePack client'));
  });

  await t.test('history is byte for byte what came live', async () => {
    const live = json.seen.filter((frame) => frame.type === 'message').map((frame) => frame.raw.toString());
    const again = await server.connect('both', { since: 'all' }, 'edgechat.v1.json');
    for (const text of live) assert.equal((await again.next('message')).raw.toString(), text);
    await again.close();
    const page = await (await fetch(`${server.http}/chat/room/both/messages`)).text();
    assert.ok(page.includes(`"messages":[${live.join(',')}]`), page);

    const livePack = pack.seen.filter((frame) => frame.type === 'message').map((frame) => frame.raw);
    const againPack = await server.connect('both', { since: 'all' }, 'edgechat.v1.msgpack');
    for (const bytes of livePack) assert.deepEqual((await againPack.next('message')).raw, bytes);
    await againPack.close();
  });

  await json.close();
  await pack.close();
});

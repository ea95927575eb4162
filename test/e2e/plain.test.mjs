// A client that knows nothing of subprotocols: the four lines that everyone writes first.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import WebSocket from 'ws';
import { Server, fourLines, root, sleep, until } from './harness.mjs';

test('plain clients', async (t) => {
  const server = await (await Server.start(t)).up();

  await t.test('the four lines work unchanged', async () => {
    const bob = await server.connect('four', { username: 'Bob' }, 'edgechat.v1.json');
    const shown = [];
    const [connect, receive, say, type] = fourLines(`127.0.0.1:${server.port}`, 'four');
    const ws = new Function('WebSocket', 'show', `${connect}\n${receive}\nreturn ws;`)(WebSocket, (frame) => shown.push(frame));
    await once(ws, 'open');
    new Function('ws', `${say}\n${type}`)(ws);

    assert.equal((await bob.next('joined', 'Alice')).username, 'Alice');
    const message = await bob.next('message');
    assert.equal(message.username, 'Alice');
    assert.equal(message.content, 'Hello everyone!');
    assert.equal((await bob.next('typing')).username, 'Alice');

    // The sender sees the same: its own joining, words and typing, and no control frame.
    await until('typing of her own', () => shown.some((frame) => frame.type === 'typing'));
    assert.deepEqual(shown.map((frame) => frame.type), ['joined', 'message', 'typing']);
    assert.deepEqual(shown[1], { ...message });
    assert.deepEqual(Object.keys(message), ['type', 'username', 'content', 'timestamp', 'id', 'offset']);
    assert.match(message.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(message.timestamp) - Date.now()) < 60_000, message.timestamp);
    assert.match(message.id, /^[A-Za-z0-9]+-[0-9]+$/);
    assert.equal(message.id.split('-')[1], String(message.offset));

    ws.close();
    assert.equal((await bob.next('left')).username, 'Alice');
    await bob.close();
  });

  await t.test('the example of the README works', async () => {
    const [, block] = /```js\n([^`]*)```/.exec(readFileSync(path.join(root, 'README.md'), 'utf8'));
    const bob = await server.connect('general', { username: 'Bob' });
    const shown = [];
    const ws = new Function('WebSocket', 'console', `${block.replace('pi.local:3000', `127.0.0.1:${server.port}`)}\nreturn ws;`)(WebSocket, { log: (...values) => shown.push(values) });
    const message = await bob.next('message', 'Hello everyone!');
    await until('its own message', () => shown.length === 2);
    assert.deepEqual(shown[1], [{ ...message }]);
    ws.close(1000);
    await until('its closing', () => shown.length === 3);
    assert.deepEqual(shown[2], ['closed with', 1000]);
    await bob.close();
  });

  await t.test('control frames are for those who offered a subprotocol', async () => {
    const plain = await server.connect('control');
    const full = await server.connect('control', { username: 'Full' }, 'edgechat.v1.json');
    assert.equal(full.socket.protocol, 'edgechat.v1.json');
    assert.equal(plain.socket.protocol, '');
    plain.say('with a key', 'k-1');
    full.say('with a key too', 'k-2');
    assert.equal((await full.next('ack')).idempotency_key, 'k-2');
    plain.send('nonsense');
    assert.equal((await plain.next('error')).code, 'invalid_message');
    await sleep(300); // the first message is on disk by now as well
    assert.deepEqual([...new Set(plain.seen.map((frame) => frame.type))].sort(), ['error', 'joined', 'message']);
    assert.equal(plain.seen.find((frame) => frame.type === 'joined').username, 'Anonymous');
    await plain.close();
    await full.close();
  });

  await t.test('with since, a plain client learns where it stands', async () => {
    const talker = await server.connect('since', { username: 'Talker' }, 'edgechat.v1.json');
    for (const n of [1, 2, 3]) talker.say(`message ${n}`);
    const ids = [];
    for (const n of [1, 2, 3]) ids.push((await talker.next('message', `message ${n}`)).id);

    const late = await server.connect('since', { since: 'all' });
    const subscribed = await late.next('subscribed');
    assert.equal(late.seen[0].type, 'subscribed', 'it comes first');
    assert.equal(subscribed.id, ids[2]);
    assert.equal(subscribed.oldest, ids[0]);
    assert.equal(subscribed.members, 2);
    for (const n of [1, 2, 3]) assert.equal((await late.next('message')).content, `message ${n}`);
    await late.close();

    const resumed = await server.connect('since', { since: ids[0] });
    const { was_recovering, recovered } = await resumed.next('subscribed');
    assert.deepEqual({ was_recovering, recovered }, { was_recovering: true, recovered: true });
    assert.equal((await resumed.next('message')).id, ids[1]);
    assert.equal((await resumed.next('message')).id, ids[2]);
    await resumed.close();

    const stranger = await server.connect('since', { since: 'unheardof-7', limit: 2 });
    assert.equal((await stranger.next('subscribed')).recovered, false);
    assert.equal((await stranger.next('message')).id, ids[1], 'the newest two follow all the same');
    assert.equal((await stranger.next('message')).id, ids[2]);
    await stranger.close();
    await talker.close();
  });

  await t.test('a stop says that it restarts, and exits 0', async () => {
    const client = await server.connect('stop');
    await client.next('joined');
    const code = server.stop('SIGTERM');
    assert.equal((await client.end()).code, 1012);
    assert.equal(await code, 0, server.output);
  });
});

// Three rooms over one connection, in each format, while the server is killed under them: each
// room goes on where its cursor was.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, Server, until } from './harness.mjs';

const rooms = ['den', 'attic', 'Küche'];

for (const protocol of ['edgechat.v1.json', 'edgechat.v1.msgpack']) {
  test(`three rooms on one connection live through kill -9, ${protocol}`, async (t) => {
    const server = await (await Server.start(t)).up();
    const connect = async () => {
      const client = await Client.open(`${server.ws}/chat?username=Alice`, protocol);
      const welcome = await client.next('welcome');
      assert.deepEqual([welcome.username, welcome.verified, welcome.max_rooms], ['Alice', false, 32]);
      return client;
    };
    const post = async (room, content) => {
      const answer = await fetch(`${server.http}/chat/room/${encodeURIComponent(room)}/messages`, { method: 'POST', body: content, headers: { 'Content-Type': 'text/plain' } });
      assert.equal(answer.status, 201);
    };

    let client = await connect();
    const cursor = {};
    for (const room of rooms) {
      client.send({ type: 'join', room });
      assert.equal((await client.next('subscribed')).room, room);
      client.send({ type: 'message', room, content: `first in ${room}`, idempotency_key: 'k' });
      const ack = await client.next('ack');
      assert.deepEqual([ack.room, ack.idempotency_key, ack.durable], [room, 'k', true]);
      cursor[room] = ack.id;
    }
    client.send({ type: 'ping' });
    assert.deepEqual({ ...await client.next('pong') }, { type: 'pong' });
    // Each message came once, with its room, and none but its own.
    const messages = client.seen.filter((frame) => frame.type === 'message');
    assert.deepEqual(messages.map((m) => [m.room, m.content, m.id]), rooms.map((room) => [room, `first in ${room}`, cursor[room]]));

    await server.stop('SIGKILL');
    await client.end();
    await server.up();
    for (const room of rooms) await post(room, `missed in ${room}`);

    client = await connect();
    for (const room of rooms) client.send({ type: 'join', room, since: cursor[room] });
    for (const room of rooms) {
      const subscribed = await client.next('subscribed');
      assert.deepEqual([subscribed.was_recovering, subscribed.recovered], [true, true], room);
    }
    for (const room of rooms) await post(room, `live in ${room}`);
    const last = () => rooms.every((room) => client.seen.some((frame) => frame.content === `live in ${room}`));
    await until('live messages of all rooms', last);
    for (const room of rooms) {
      const contents = client.seen.filter((frame) => frame.room === room && frame.type === 'message').map((frame) => frame.content);
      assert.deepEqual(contents, [`missed in ${room}`, `live in ${room}`]);
    }
    client.send({ type: 'leave', room: 'attic' });
    assert.equal((await client.next('unsubscribed')).room, 'attic');
    client.send({ type: 'message', room: 'attic', content: 'no more', idempotency_key: 'k2' });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.room, error.idempotency_key], ['not_joined', 'attic', 'k2']);
    await client.close();
  });
}

test('what is asked of GET /chat is said before the upgrade', async (t) => {
  const server = await (await Server.start(t, '--rooms-per-connection', '1')).up();
  assert.equal((await server.refusal('/chat')).error.code, 'bad_handshake');
  assert.equal((await server.refusal('/chat?since=all', 'edgechat.v1.json')).error.code, 'invalid_query');
  const client = await Client.open(`${server.ws}/chat`, 'edgechat.v1.json');
  assert.equal((await client.next('welcome')).max_rooms, 1);
  client.send({ type: 'join', room: 'den', announce: false });
  assert.equal((await client.next('subscribed')).members, 0);
  client.send({ type: 'join', room: 'attic' });
  assert.equal((await client.next('error')).code, 'too_many_rooms');
  client.send({ type: 'join', room: 'den' });
  assert.equal((await client.next('error')).code, 'already_joined');
  await client.close();
});

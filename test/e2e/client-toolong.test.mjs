// What the server cannot read closes a connection. Sent again it would close the next one too, and so on for ever.

import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later, until } from './harness.mjs';

async function member(t, WebSocket, ...flags) {
  const server = await (await Server.start(t, ...flags)).up();
  const client = connect({ url: server.http, WebSocket });
  later(t, () => client.stop());
  const waits = [];
  client.on('state', (state, { delay }) => { if (state === 'waiting') waits.push(delay); });
  const room = client.join('den');
  await room.send('1');
  return { client, room, waits };
}

for (const [way, Socket] of [['WebSocket', WebSocket], ['plain HTTP', null]]) {
  test(`what is too long is refused, and nothing beside it: ${way}`, { timeout: 60_000 }, async (t) => {
    const { room, waits } = await member(t, Socket);
    const said = [room.send('short'), room.send('x'.repeat(70_000)), room.send('é'.repeat(2048)), room.send('é'.repeat(2049)), room.send('short too')];
    const refused = { name: 'Refusal', code: 'invalid_message', message: 'content is longer than 4096 bytes' };
    await Promise.all(said.map((promise, i) => (i === 1 || i === 3 ? assert.rejects(promise, refused) : promise)));
    assert.deepEqual(waits, [], 'no connection was lost');
  });
}

test('what closed a connection is refused, and what is said behind it comes', { timeout: 60_000 }, async (t) => {
  const { client, room, waits } = await member(t, WebSocket);
  const out = client.join('out');
  out.on('failed', () => out.leave()); // the connection is gone by then
  await until('place in the room', () => out.state === 'joined');
  const other = out.edit('x'.repeat(50_000), 'the same');
  await assert.rejects(other, { code: 'left' });
  const long = room.edit('x'.repeat(50_000), 'an id of this length is none'); // longer than any frame may be
  await assert.rejects(long, { code: 'invalid_message', message: 'message is longer than 25600 bytes' });
  // What is innocent is not refused with it, wherever it is said.
  const elsewhere = client.join('other');
  await until('place in the room', () => elsewhere.state === 'joined');
  const third = room.edit('x'.repeat(50_000), 'the same');
  const beside = [room.send('behind'), elsewhere.send('elsewhere')];
  await assert.rejects(third, { code: 'invalid_message' });
  await Promise.all(beside);
  assert.equal(waits.length, 3, 'as many connections were lost');
  assert.deepEqual(client.rooms(), [room, elsewhere]);
});

test('what has no content is not too long', { timeout: 60_000 }, async (t) => {
  const { room } = await member(t, WebSocket, '--max-content', '4');
  const { id } = await room.send('1234');
  await room.delete(id);
});

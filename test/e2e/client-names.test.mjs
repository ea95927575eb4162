// Names of rooms: many spellings are one, and some are none.

import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later } from './harness.mjs';

const timeout = 60_000; // ms

for (const [way, options] of [['JSON', { WebSocket }], ['MessagePack', { WebSocket, format: 'msgpack' }], ['plain HTTP', { WebSocket: null }]]) {
  test(`a name has one form, however it is spelt: ${way}`, { timeout }, async (t) => {
    const server = await (await Server.start(t)).up();
    const client = connect({ url: server.http, username: 'Alice', ...options });
    later(t, () => client.stop());
    for (const [spelt, name] of [['u\u0308ber', '\u00fcber'], ['\uff41\uff22\uff11', 'aB1'], ['\uff76\uff9e\uff7d', '\u30ac\u30b9']]) {
      const room = client.join(spelt);
      assert.equal(room.name, name);
      assert.equal(client.join(name), room);
      await room.send('here');
      room.leave();
    }
  });

  test(`what can be the name of no room ends that room alone: ${way}`, { timeout }, async (t) => {
    const server = await (await Server.start(t)).up();
    const client = connect({ url: server.http, username: 'Alice', ...options });
    later(t, () => client.stop());
    const states = [];
    const room = client.join('den');
    await room.send('here');
    client.on('state', (state) => states.push(state));
    client.on('error', (refusal) => states.push(refusal.message));
    for (const name of ['', 'x'.repeat(300), 'x'.repeat(40_000), '\ud800', 'a/b', 'x'.repeat(65)]) {
      const ended = await new Promise((told) => { client.join(name).on('ended', told); });
      assert.equal(ended.code, 'invalid_room', name);
    }
    for (const name of ['', 'x'.repeat(40_000), '\ud800']) client.join(name).leave();
    await room.send('still here');
    assert.deepEqual(states, []);
  });
}

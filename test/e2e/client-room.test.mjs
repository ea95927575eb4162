// What listeners and iterators of a room may do.

import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later, until } from './harness.mjs';
import { scripted, subscribed } from './scripted.mjs';

const timeout = 60_000; // ms

async function member(t, options = {}) {
  const server = await (await Server.start(t)).up();
  const client = connect({ url: server.http, username: 'Alice', WebSocket, ...options });
  later(t, () => client.stop());
  return client;
}

test('what an earlier program left goes out before what is said right behind a join', { timeout }, async (t) => {
  const kept = new Map([['w-old', { key: 'w-old', room: 'den', type: 'message', content: 'old' }]]);
  const client = await member(t, { storage: { load: () => [...kept.values()], put: (entry) => kept.set(entry.key, entry), remove: (entry) => kept.delete(entry.key) } });
  const room = client.join('den', { since: 'all' });
  const pending = [];
  const said = [];
  room.on('pending', ({ content }) => pending.push(content));
  room.on('message', ({ content }) => said.push(content));
  await room.send('new');
  await until('both', () => said.length > 1);
  assert.deepEqual(said, ['old', 'new']);
  assert.deepEqual(pending.sort(), ['new', 'old'], 'each is told once');
  assert.equal(kept.size, 0);
});

test('what is given up while it is about to be sent again is given up', { timeout }, async (t) => {
  const client = await member(t);
  const room = client.join('den');
  const failed = [];
  room.on('failed', (entry) => failed.push(entry));
  await assert.rejects(room.delete('nonsense'));
  room.on('pending', ({ key }) => room.discard(key));
  room.resend(failed[0].key);
  assert.deepEqual(room.pending(), []);
});

test('an iterator ends for all who wait for it', { timeout }, async (t) => {
  const client = await member(t);
  const room = client.join('den');
  await room.send('before');
  const frames = room[Symbol.asyncIterator]();
  const both = [frames.next(), frames.next()];
  await room.send('one');
  await room.send('two');
  assert.deepEqual((await Promise.all(both)).map(({ value }) => value.content), ['one', 'two']);
  const waiting = frames.next();
  await frames.return();
  assert.deepEqual([await waiting, await frames.next()], [{ done: true, value: undefined }, { done: true, value: undefined }]);
});

test('what a server has lost is told once, and not with each connection', { timeout }, async (t) => {
  const client = connect({ url: 'http://127.0.0.1:1', WebSocket: scripted(({ type }, tell) => {
    if (type === 'join') tell({ ...subscribed, was_recovering: true, recovered: false });
  }) });
  later(t, () => client.stop());
  let gaps = 0;
  const room = client.join('den', { since: 'd-7' });
  room.on('gap', () => { gaps++; });
  await until('place in the room', () => room.state === 'joined');
  assert.deepEqual([gaps, room.cursor], [1, subscribed.id], 'where the next connection goes on');
});

// The session of the web page, without a page: it loses nothing and shows nothing twice
// while the server is killed under it.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { Server, freePort, root, sleep, until } from './harness.mjs';

// A browser's socket reports an error as an event that may be ignored; that of ws throws it.
globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on('error', () => {});
  }
};
globalThis.crypto ??= webcrypto;

// The file is a module for browsers; node would take its name for CommonJS.
const source = readFileSync(path.join(root, 'web/static/assets/session.js'), 'utf8');
const { Session } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

// A recorder of everything that a session tells.
function listen(t, server, options = {}) {
  const seen = { states: [], messages: [], events: [], gaps: 0, acked: new Map(), failed: [], errors: [], subscribed: [] };
  const on = {
    state: (name, detail) => { seen.states.push(name); if (name === 'stopped') seen.stopped = detail; },
    subscribed: (frame) => seen.subscribed.push(frame),
    message: (frame, live) => seen.messages.push({ ...frame, live }),
    event: (frame) => seen.events.push(frame),
    gap: () => { seen.gaps++; },
    pending: () => {},
    acked: (entry, frame) => { assert.ok(!seen.acked.has(entry.key), 'acked twice'); seen.acked.set(entry.key, frame.id); },
    failed: (entry, text) => seen.failed.push([entry.content, text]),
    error: (text) => seen.errors.push(text),
  };
  const session = new Session({ base: server.http, room: 'den', username: 'Alice', on, ...options });
  t.after(() => session.stop());
  session.start();
  return { session, seen };
}

test('a session lives through kill -9', async (t) => {
  const server = await (await Server.start(t)).up();
  const { session, seen } = listen(t, server);
  const other = listen(t, server, { username: 'Bob' });
  await until('both', () => seen.subscribed.length && other.seen.subscribed.length);

  const total = 60;
  for (let n = 0; n < total; n++) {
    session.send(`message ${n}`);
    if (n % 20 === 10) { // in the middle of it, with some not yet acknowledged
      await server.stop('SIGKILL');
      await server.up();
      session.wake();
    }
    await sleep(5);
  }
  await until('acknowledgement of all', () => seen.acked.size === total);
  assert.equal(session.pending().length, 0);
  assert.ok(seen.states.filter((s) => s === 'open').length >= 4, seen.states.join());
  assert.deepEqual([seen.errors, seen.failed, seen.gaps], [[], [], 0]);

  // What is acknowledged is in the room, once, and in the order of offsets for everyone.
  const { messages } = await (await fetch(`${server.http}/chat/room/den/messages`)).json();
  assert.deepEqual(messages.map((m) => m.content).sort(), Array.from({ length: total }, (_, n) => `message ${n}`).sort());
  assert.deepEqual([...seen.acked.values()].sort(), messages.map((m) => m.id).sort());
  const stored = messages.map((m) => m.id);
  for (const { seen: its } of [{ seen }, other]) {
    await until('the last message', () => its.messages.some((m) => m.id === stored.at(-1)));
    const ids = its.messages.map((m) => m.id);
    assert.equal(new Set(ids).size, ids.length, 'no id is shown twice');
    assert.deepEqual(ids.filter((id) => stored.includes(id)), stored, 'all that is stored, in its order');
  }
});

test('a session that says too much waits as it is told, and loses nothing', async (t) => {
  const server = await (await Server.start(t, '--rate', '10/5')).up();
  const { session, seen } = listen(t, server);
  await until('subscription', () => seen.subscribed.length);
  const total = 40;
  for (let n = 0; n < total; n++) session.send(`message ${n}`);
  await until('acknowledgement of all', () => seen.acked.size === total);
  assert.deepEqual([seen.errors, seen.failed, session.pending().length, seen.subscribed.length], [[], [], 0, 1]);
  const { messages } = await (await fetch(`${server.http}/chat/room/den/messages`)).json();
  assert.deepEqual(messages.map((m) => m.content).sort(), Array.from({ length: total }, (_, n) => `message ${n}`).sort());
});

test('a session that comes back late is told of the gap', async (t) => {
  const server = await (await Server.start(t, '--history', '5')).up();
  const { session, seen } = listen(t, server);
  session.send('seen');
  await until('acknowledgement', () => seen.acked.size === 1);
  await server.stop();
  await until('end', () => seen.states.at(-1) === 'waiting');

  // Others talk where the session does not look, so that it cannot come back too early.
  const { port } = server;
  server.port = await freePort();
  await server.up();
  for (let n = 0; n < 8; n++) {
    await fetch(`${server.http}/chat/room/den/messages`, { method: 'POST', body: `missed ${n}`, headers: { 'Content-Type': 'text/plain' } });
  }
  await server.stop();
  server.port = port;
  await server.up();

  session.wake();
  await until('the newest', () => seen.messages.length === 6);
  assert.deepEqual(seen.messages.map((m) => m.content), ['seen', 'missed 3', 'missed 4', 'missed 5', 'missed 6', 'missed 7']);
  assert.equal(seen.gaps, 1);
});

// A server that does what ours should not: it says things twice, and other things than asked.
test('a session trusts no server', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'edgechat.v1.json' });
  t.after(() => server.close());
  await once(server, 'listening');
  const asked = [];
  const message = (n) => ({ type: 'message', username: 'Bob', content: `message ${n}`, timestamp: '2026-11-22T12:00:00.123Z', id: `a-${n}`, offset: n });
  server.on('connection', (socket, request) => {
    asked.push(new URL(request.url, 'http://x').searchParams.get('since'));
    const say = (frame) => socket.send(JSON.stringify(frame));
    say({ type: 'subscribed', room: 'den', id: 'a-2', offset: 2, oldest: 'a-1', was_recovering: asked.length > 1, recovered: true, username: 'Alice', members: 1, max_content_bytes: 4096, ping_interval_ms: 25000 });
    for (const n of [1, 2, 1, 2, asked.length + 2]) say(message(n));
    say({ type: 'news', from: 'a later version' });
    say({ type: 'ack', idempotency_key: 'never sent', id: 'a-9', offset: 9, durable: true });
    if (asked.length === 2) socket.close(1008, 'kicked by an operator');
    else setTimeout(() => socket.close(1012), 50);
  });

  const { session, seen } = listen(t, { http: `http://127.0.0.1:${server.address().port}` });
  await until('end of the first', () => seen.states.at(-1) === 'waiting');
  session.wake();
  await until('end of the second', () => seen.stopped);
  assert.deepEqual(asked, ['all', 'a-3'], 'it comes back with the cursor');
  assert.deepEqual(seen.messages.map((m) => [m.id, m.live]), [['a-1', false], ['a-2', false], ['a-3', true], ['a-4', true]]);
  assert.deepEqual(seen.stopped, { text: 'Kicked by an operator.', status: 1008, code: '' });
  assert.deepEqual([seen.acked.size, seen.gaps, seen.errors], [0, 0, []]);
  session.wake();
  await sleep(100);
  assert.equal(asked.length, 2, 'it does not come back after 1008');
});

test('a session gives up where trying again is no use', async (t) => {
  const server = await (await Server.start(t)).up();
  const bad = listen(t, server, { room: 'no such name' });
  await until('refusal', () => bad.seen.stopped);
  assert.equal(bad.seen.stopped.status, 400);
  assert.ok(bad.seen.stopped.text.length > 10);

  const { session, seen } = listen(t, server);
  await until('subscription', () => seen.subscribed.length);
  session.send('x'.repeat(5000));
  await until('refusal', () => seen.failed.length);
  assert.match(seen.failed[0][1], /4096/);
  assert.equal(session.pending().length, 0, 'it is not sent again');
});

// The client that the web page uses, without a page: it loses nothing and says nothing twice while the server is
// killed under it. ws is used as it comes: an error of it that nobody listens to ends the program.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Relay } from './relay.mjs';
import { Server, freePort, later, root, sleep, until } from './harness.mjs';

// listen is a member of one room with a record of everything that is told.
function listen(t, server, options = {}) {
  const seen = { states: [], messages: [], revised: [], events: [], gaps: 0, acked: new Map(), failed: [], errors: [], subscribed: [] };
  const client = connect({ url: server.http, username: 'Alice', WebSocket, ...options });
  later(t, () => client.stop());
  client.on('state', (state, detail) => { seen.states.push(state); if (state === 'stopped') seen.stopped = detail; });
  client.on('error', (refusal) => seen.errors.push(refusal.message));
  const room = client.join(options.room ?? 'den', { since: 'all', ...options.join });
  room.on('subscribed', (frame) => seen.subscribed.push(frame));
  room.on('message', (frame, live) => seen.messages.push({ ...frame, live }));
  room.on('revised', (frame) => seen.revised.push(frame));
  room.on('event', (frame) => seen.events.push(frame));
  room.on('gap', () => { seen.gaps++; });
  room.on('acked', (entry, frame) => { assert.ok(!seen.acked.has(entry.key), 'acked twice'); seen.acked.set(entry.key, frame.id); });
  room.on('failed', (entry) => seen.failed.push([entry.content, entry.failed]));
  room.on('error', (refusal) => seen.errors.push(refusal.message));
  room.on('ended', (refusal) => { seen.ended = refusal; });
  return { client, room, seen };
}

const stored = async (server, room = 'den') => (await (await fetch(`${server.http}/chat/room/${room}/messages?limit=5000`)).json()).messages;

test('ten restarts: each message once, in order, each acknowledged once', async (t) => {
  const server = await (await Server.start(t, '--rate', '0')).up();
  const alice = listen(t, server);
  const bob = listen(t, server, { username: 'Bob' });
  await until('both', () => alice.seen.subscribed.length && bob.seen.subscribed.length);

  const read = [];
  (async () => { for await (const frame of bob.room) read.push(frame); })();
  const sends = [];
  for (let restart = 0; restart < 10; restart++) {
    for (let n = 0; n < 12; n++) {
      sends.push(alice.room.send(`message ${sends.length}`));
      await sleep(2);
    }
    await server.stop(restart % 2 ? 'SIGKILL' : 'SIGTERM'); // in the middle of it, with some not yet acknowledged
    await server.up();
    for (const { client } of [alice, bob]) client.check();
  }
  const acks = await Promise.all(sends);
  const messages = await stored(server);
  assert.deepEqual(messages.map((m) => m.content), sends.map((_, n) => `message ${n}`));
  assert.deepEqual(acks.map((ack) => ack.id), messages.map((m) => m.id));
  assert.equal(alice.seen.acked.size, sends.length);
  assert.deepEqual([alice.seen.errors.filter((text) => !/WebSocket/.test(text)), alice.seen.failed, alice.seen.gaps, alice.room.pending()], [[], [], 0, []]);
  const ids = messages.map((m) => m.id);
  for (const { seen } of [alice, bob]) {
    await until('the last message', () => seen.messages.some((m) => m.id === ids.at(-1)));
    const got = seen.messages.map((m) => m.id);
    assert.equal(new Set(got).size, got.length, 'no id is told twice');
    assert.deepEqual(got.filter((id) => ids.includes(id)), ids, 'all that is stored, in its order');
  }
  await until('the iterator', () => read.some((frame) => frame.id === ids.at(-1)));
  assert.deepEqual(read.map((frame) => frame.id), bob.seen.messages.map((m) => m.id));
});

test('many rooms over one connection, each with its own cursor', async (t) => {
  const server = await (await Server.start(t)).up();
  const { client, room: den, seen } = listen(t, server);
  const attic = client.join('attic', { since: 'all' });
  const heard = [];
  attic.on('message', (frame) => heard.push(frame.content));
  await Promise.all([den.send('in the den'), attic.send('in the attic')]);
  assert.deepEqual([seen.messages.map((m) => m.content), heard], [['in the den'], ['in the attic']]);
  assert.match(await (await fetch(`${server.http}/metrics`)).text(), /edgechat_connections(\{[^}]*\})? 1\n/);

  await attic.edit(attic.cursor, 'under the roof');
  const [said] = await stored(server, 'attic');
  assert.deepEqual([said.content, said.edited], ['under the roof', true]);

  // Left and joined again at once: what is said then arrives.
  attic.leave();
  const again = client.join('attic', { since: 'all' });
  await again.send('back again');
  assert.notEqual(again, attic);
  assert.equal(attic.state, 'ended');
  await assert.rejects(attic.send('from outside'), { code: 'left' });
  assert.deepEqual(client.rooms().map((room) => room.name), ['den', 'attic']);

  const bad = client.join('no such name');
  const ended = await new Promise((done) => { bad.on('ended', done); });
  assert.equal(ended.code, 'invalid_room');
  assert.equal(client.state, 'open', 'a room that is refused is no reason to leave the others');
});

test('a client that says too much waits as it is told, and loses nothing', async (t) => {
  const server = await (await Server.start(t, '--rate', '10/5')).up();
  const { room, seen } = listen(t, server);
  await until('subscription', () => seen.subscribed.length);
  const total = 40;
  await Promise.all(Array.from({ length: total }, (_, n) => room.send(`message ${n}`)));
  assert.deepEqual([seen.errors, seen.failed, room.pending().length, seen.subscribed.length], [[], [], 0, 1]);
  assert.deepEqual((await stored(server)).map((m) => m.content).sort(), Array.from({ length: total }, (_, n) => `message ${n}`).sort());
});

test('a client that comes back late is told of the gap', async (t) => {
  const server = await (await Server.start(t, '--history', '5')).up();
  const { client, room, seen } = listen(t, server);
  await room.send('seen');
  await server.stop();
  await until('end', () => seen.states.at(-1) === 'waiting');

  // Others talk where the client does not look, so that it cannot come back too early.
  const { port } = server;
  server.port = await freePort();
  await server.up();
  for (let n = 0; n < 8; n++) {
    await fetch(`${server.http}/chat/room/den/messages`, { method: 'POST', body: `missed ${n}`, headers: { 'Content-Type': 'text/plain' } });
  }
  await server.stop();
  server.port = port;
  await server.up();

  client.check();
  await until('the newest', () => seen.messages.length === 6);
  assert.deepEqual(seen.messages.map((m) => m.content), ['seen', 'missed 3', 'missed 4', 'missed 5', 'missed 6', 'missed 7']);
  assert.equal(seen.gaps, 1);
});

test('a dead line is noticed', async (t) => {
  const server = await (await Server.start(t, '--ping-interval', '2s')).up();
  const relay = await Relay.to(t, server.port);
  const { client, room, seen } = listen(t, relay);
  await room.send('before');
  await sleep(4_500); // two intervals in which nothing but pings is to be heard
  assert.deepEqual(seen.states, ['connecting', 'open'], 'silence alone is no reason');

  // Within the interval and five seconds by itself.
  relay.hold();
  let from = Date.now();
  await until('another connection', () => seen.states.length > 2);
  assert.ok(Date.now() - from < 2_000 + 5_000 + 5_000, `after ${Date.now() - from} ms`);
  relay.resume();
  client.check();
  await room.send('between');

  // Within three seconds when somebody looks.
  const count = seen.states.length;
  relay.hold();
  from = Date.now();
  client.check();
  await until('another connection', () => seen.states.length > count);
  assert.ok(Date.now() - from < 3_000 + 5_000, `after ${Date.now() - from} ms`);
  relay.resume();
  client.check();
  await room.send('after');
  assert.deepEqual((await stored(server)).map((m) => m.content), ['before', 'between', 'after']);
});

test('what was on its way is no answer of a line that is dead', async (t) => {
  const server = await (await Server.start(t)).up();
  const relay = await Relay.to(t, server.port);
  const { client, seen } = listen(t, relay);
  await until('it is there', () => seen.subscribed.length === 1);
  relay.keep();
  client.check();
  await until('its answer is on the way', () => relay.kept > 0);
  await server.say('den', 'Bob', 'said before the line died');
  await until('that is, too', () => relay.kept > 1);
  relay.mute();
  client.check();
  relay.release();
  await until('that is heard', () => seen.messages.length === 1);
  relay.hold();
  const from = Date.now();
  await until('another connection', () => seen.states.length > 2);
  assert.ok(Date.now() - from < 3_000 + 5_000, `after ${Date.now() - from} ms`);
});

test('what was not acknowledged is kept by a storage, for each room', async (t) => {
  const server = await Server.start(t);
  const kept = new Map();
  const storage = { load: () => [...kept.values()], put: (entry) => kept.set(entry.key, structuredClone(entry)), remove: (entry) => kept.delete(entry.key) };
  const before = connect({ url: server.http, username: 'Alice', WebSocket, storage });
  before.join('den').send('for the den');
  before.join('attic').send('for the attic');
  await sleep(50);
  before.stop();
  assert.equal(kept.size, 2);

  await server.up();
  const after = connect({ url: server.http, username: 'Alice', WebSocket, storage });
  later(t, () => after.stop());
  const told = [];
  for (const name of ['den', 'attic']) after.join(name).on('pending', (entry) => told.push(entry.content));
  await until('acknowledgement of both', () => kept.size === 0);
  assert.deepEqual(told, ['for the den', 'for the attic']);
  for (const name of ['den', 'attic']) assert.deepEqual((await stored(server, name)).map((m) => m.content), [`for the ${name}`]);
});

// A server that does what ours should not: it says things twice, and other things than asked.
test('a client trusts no server', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'edgechat.v1.json' });
  later(t, () => server.close());
  await once(server, 'listening');
  const asked = [];
  const message = (n) => ({ type: 'message', room: 'den', username: 'Bob', content: `message ${n}`, timestamp: '2026-11-22T12:00:00.123Z', id: `a-${n}`, offset: n });
  server.on('connection', (socket) => {
    const say = (frame) => socket.send(JSON.stringify(frame));
    say({ type: 'welcome', username: 'Alice', verified: false, max_content_bytes: 4096, ping_interval_ms: 25000 });
    socket.on('message', (data) => {
      const frame = JSON.parse(data);
      if (frame.type !== 'join') return;
      asked.push(frame.since);
      say({ type: 'subscribed', room: 'den', id: 'a-2', offset: 2, oldest: 'a-1', was_recovering: asked.length > 1, recovered: true, username: 'Alice', members: 1, max_content_bytes: 4096, ping_interval_ms: 25000 });
      for (const n of [1, 2, 1, 2, asked.length + 2]) say(message(n));
      say({ type: 'news', from: 'a later version' });
      say({ type: 'message', room: 'nowhere', username: 'Bob', content: 'x', id: 'a-7', offset: 7 });
      say({ type: 'ack', room: 'den', idempotency_key: 'never sent', id: 'a-9', offset: 9, durable: true });
      if (asked.length === 2) socket.close(1008, 'kicked: by an operator');
      else setTimeout(() => socket.close(1012), 50);
    });
  });

  const { client, seen } = listen(t, { http: `http://127.0.0.1:${server.address().port}` });
  await until('end of the first', () => seen.states.at(-1) === 'waiting');
  client.check();
  await until('end of the second', () => seen.stopped);
  assert.deepEqual(asked, ['all', 'a-3'], 'it comes back with the cursor');
  assert.deepEqual(seen.messages.map((m) => [m.id, m.live]), [['a-1', false], ['a-2', false], ['a-3', true], ['a-4', true]]);
  assert.deepEqual(seen.stopped, { text: 'By an operator.', code: 'kicked' });
  assert.deepEqual([seen.acked.size, seen.gaps, seen.errors], [0, 0, []]);
  client.check();
  await sleep(100);
  assert.equal(asked.length, 2, 'it does not come back after 1008');
});

test('a client gives up where trying again is no use', async (t) => {
  const server = await (await Server.start(t)).up();
  const bad = listen(t, server, { username: 'Eve\u202e' });
  await until('refusal', () => bad.seen.stopped);
  assert.equal(bad.seen.stopped.code, 'invalid_username');
  assert.ok(bad.seen.stopped.text.length > 10);

  const { room, seen } = listen(t, server);
  await until('subscription', () => seen.subscribed.length);
  await assert.rejects(room.send('x'.repeat(5000)), /4096/);
  assert.match(seen.failed[0][1], /4096/);
  const [{ key }] = room.pending();
  await sleep(50);
  assert.deepEqual(await stored(server), [], 'it is not sent again by itself');
  room.discard(key);
  assert.deepEqual(room.pending(), []);
});

// As a program of a few lines has it, in a process of its own: what ws has to say of a server that is not there must not end it.
test('node lives on where there is no server', async (t) => {
  const port = await freePort();
  const program = `
    import { connect } from ${JSON.stringify(path.join(root, 'web/npm/edgechat.js'))};
    import WebSocket from ${JSON.stringify(path.join(root, 'test/e2e/node_modules/ws/wrapper.mjs'))};
    const client = connect({ url: 'http://127.0.0.1:${port}', WebSocket });
    client.join('den');
    client.on('state', (state) => { if (state === 'waiting') { console.log(state); process.exit(0); } });`;
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }), 'waiting\n');
});

test('npm pack makes a package that can be used', async (t) => {
  const server = await (await Server.start(t)).up();
  const tarball = execFileSync('npm', ['pack', '--silent', '--pack-destination', server.folder], { cwd: path.join(root, 'web/npm'), encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', path.join(server.folder, tarball), '-C', server.folder]);
  const folder = path.join(server.folder, 'package');
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  assert.ok(readFileSync(path.join(folder, manifest.types), 'utf8').includes('export function connect'));
  const packed = await import(path.join(folder, manifest.main));
  const client = packed.connect({ url: server.http, username: 'Alice', WebSocket });
  later(t, () => client.stop());
  assert.equal((await client.join('den').send('from a package')).durable !== undefined, true);
});

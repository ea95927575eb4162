// A room that is left, and entered again before the server has said that we are out of it. Nothing that comes of it meanwhile is
// what the new one begins with.

import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later, until } from './harness.mjs';
import { scripted, subscribed } from './scripted.mjs';

const timeout = 60_000; // ms

async function member(t, flags, Socket = WebSocket) {
  const server = await (await Server.start(t, ...flags)).up();
  const client = connect({ url: server.http, username: 'Alice', WebSocket: Socket });
  later(t, () => client.stop());
  await until('connection', () => client.state === 'open');
  return { server, client };
}

const joined = (room) => until('place in the room', () => room.state === 'joined');

test('a room that was refused and left may be entered once there is a place', { timeout }, async (t) => {
  const { client } = await member(t, ['--rooms-per-connection', '1']);
  const first = client.join('first');
  await joined(first);
  const tooMany = client.join('second');
  tooMany.leave(); // before the answer
  first.leave();
  const second = client.join('second');
  await joined(second);
  await second.send('here');
});

test('what is said between a leave and its answer is no cursor of the room that is entered next', { timeout }, async (t) => {
  const say = (content) => fetch(`${server.http}/chat/room/den/messages?username=Bob`, { method: 'POST', body: content }).then((answer) => assert.equal(answer.status, 201));
  class Late extends WebSocket { // somebody talks before a leave is out
    send(text) {
      if (!text.includes('"leave"')) super.send(text);
      else say('meanwhile').then(() => super.send(text));
    }
  }
  const { server, client } = await member(t, [], Late);
  for (const content of ['one', 'two']) await say(content);
  const before = client.join('den');
  await joined(before);
  before.leave();
  const said = [];
  client.join('den', { since: 'all' }).on('message', ({ content }) => said.push(content));
  await until('all that was said', () => said.includes('meanwhile'));
  await say('last');
  await until('what came last', () => said.includes('last'));
  assert.deepEqual(said, ['one', 'two', 'meanwhile', 'last']);
});

test('a leave that is too much for the server is said again, however much is talked', { timeout }, async (t) => {
  const heard = [];
  class Told extends WebSocket {
    emit(type, ...values) {
      if (type === 'message') heard.push(JSON.parse(values[0]));
      return super.emit(type, ...values);
    }
  }
  const { server, client } = await member(t, ['--byte-rate', '16B/4KiB'], Told);
  const room = client.join('den');
  await joined(room);
  room.send('x'.repeat(3900)); // and the leave right behind it, before there is room for more
  room.leave();
  const again = client.join('den');
  await until('a refused leave', () => heard.some(({ type, code }) => type === 'error' && code === 'rate_limited'));
  await until('place in the room', async () => {
    await fetch(`${server.http}/chat/room/den/messages?username=Bob`, { method: 'POST', body: 'hello' });
    return again.state === 'joined';
  });
  assert.ok(heard.some(({ type }) => type === 'unsubscribed'));
});

for (const [way, Socket] of [['WebSocket', WebSocket], ['plain HTTP', null]]) {
  test(`a room that is left twice at once is there the third time: ${way}`, { timeout }, async (t) => {
    const { client } = await member(t, [], Socket);
    await joined(client.join('den'));
    client.join('den').leave();
    client.join('den').leave();
    const third = client.join('den');
    const ends = [];
    third.on('ended', ({ code }) => ends.push(code));
    await joined(third);
    await third.send('here');
    assert.deepEqual(ends, []);
  });

  test(`who is thrown out may come again at that: ${way}`, { timeout }, async (t) => {
    const server = await Server.start(t, '--admin', 'FOLDER/admin.sock');
    await server.up();
    const client = connect({ url: server.http, username: 'Alice', WebSocket: Socket });
    later(t, () => client.stop());
    const ends = [];
    let again = null;
    const room = client.join('den');
    room.on('ended', ({ code }) => {
      ends.push(code);
      again = client.join('den');
      again.on('ended', (refusal) => ends.push(refusal.code));
    });
    await joined(room);
    server.run('admin', 'kick', '--name', 'Alice', '--room', 'den', '--admin', 'FOLDER/admin.sock');
    await until('an end', () => again);
    await joined(again);
    await again.send('here again');
    assert.deepEqual(ends, ['kicked']);
  });
}

// As chat/seat.go has it: who is to go is out once what he said is on disk.
test('who is thrown out while an acknowledgement is due may come again at that', { timeout }, async (t) => {
  let place = 'out';
  const Seat = scripted(({ type, idempotency_key }, tell) => {
    if (type === 'join' && place !== 'out') {
      tell({ type: 'error', code: 'already_joined' });
    } else if (type === 'join') {
      place = 'in';
      tell(subscribed);
    } else if (place === 'in') {
      place = 'going';
      tell({ type: 'error', code: 'kicked' });
      setTimeout(() => {
        place = 'out';
        tell({ type: 'ack', idempotency_key, id: 'e-1', offset: 1, durable: true });
        tell({ type: 'unsubscribed' });
      }, 100);
    }
  });
  const client = connect({ url: 'http://127.0.0.1:1', WebSocket: Seat });
  later(t, () => client.stop());
  const room = client.join('den');
  let again = null;
  room.on('ended', () => { again = client.join('den'); });
  await joined(room);
  room.send('on its way').catch(() => {});
  await until('an end', () => again);
  const began = Date.now();
  await joined(again);
  assert.ok(Date.now() - began < 9_000, 'sooner than it is tried by itself');
});

test('what another frame was refused for has a room that is there asked for no more', { timeout }, async (t) => {
  let leaves = 0;
  let joins = 0;
  const client = connect({ url: 'http://127.0.0.1:1', WebSocket: scripted(({ type, idempotency_key }, tell) => {
    if (type === 'join' && ++joins) tell(subscribed);
    else if (type === 'message') tell({ type: 'ack', idempotency_key, id: 'e-1', offset: 1, durable: true });
    else if (++leaves === 1) tell({ type: 'unsubscribed' });
    else tell({ type: 'error', code: 'rate_limited', retry_after_ms: 50 });
  }) });
  later(t, () => client.stop());
  const room = client.join('den');
  await joined(room);
  room.leave();
  client.join('den').leave();
  const third = client.join('den');
  await joined(third);
  await new Promise((done) => { setTimeout(done, 200); }); // longer than it was to wait
  assert.equal(joins, 2);
  await third.send('here');
});

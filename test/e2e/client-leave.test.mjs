// A room that is left, and entered again before the server has said that we are out of it. Nothing that comes of it meanwhile is
// what the new one begins with.

import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later, until } from './harness.mjs';

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

test('a leave that is too much for the server is said again', { timeout }, async (t) => {
  const { server, client } = await member(t, ['--byte-rate', '1KiB/4KiB']);
  const room = client.join('den');
  await joined(room);
  await room.send('x'.repeat(4000));
  room.leave();
  await until('an empty room', async () => (await client.request('room/den/members')).members.length === 0);
  const again = client.join('den');
  await joined(again);
});

// By which way the client goes: a WebSocket, or plain HTTP where something in between lets none through.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import WebSocket from 'ws';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later, until } from './harness.mjs';

// A server that comes back between a try and the question why that was refused is no proxy that lets no WebSocket through.
test('a server that comes just behind a try is spoken to by WebSocket', async (t) => {
  const server = await (await Server.start(t)).up();
  let tries = 0;
  let told = false; // the third try, while it was the last one
  class Late extends WebSocket {
    constructor(...args) {
      super(...args);
      this.late = ++tries === 3;
    }

    set onclose(listener) { // the server is there once the third try is told that it was not
      super.onclose = listener && (async (event) => {
        if (this.late) {
          await server.up();
          told = tries === 3 && client.state === 'connecting';
        }
        listener(event);
      });
    }
  }
  const client = connect({ url: server.http, WebSocket: Late });
  later(t, () => client.stop());
  const room = client.join('den');
  await room.send('before');
  await server.stop();
  await until('a second try in vain', () => {
    client.check();
    return tries > 1;
  });
  await until('the server back', () => {
    if (tries < 3) client.check();
    return client.state === 'open';
  });
  assert.ok(told);
  assert.equal(client.maxRooms, 32, 'as many rooms as a WebSocket has, where plain HTTP has 3');
  await room.send('behind');
});

// What is in between lets short answers through, and neither WebSockets nor streams.
test('where nothing that stays comes about it is tried less and less often', async (t) => {
  const server = createServer((request, response) => {
    if (new URL(request.url, 'http://x').pathname.endsWith('/rooms')) response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"rooms":[]}');
    else response.destroy();
  });
  server.on('upgrade', (request, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { random } = Math;
  Math.random = () => 0.999; // each wait is as long as it may be
  later(t, () => {
    Math.random = random;
    server.closeAllConnections();
    server.close();
  });
  const delays = [];
  const client = connect({ url: `http://127.0.0.1:${server.address().port}`, WebSocket });
  later(t, () => client.stop());
  client.join('den');
  client.on('state', (state, detail) => {
    if (state !== 'waiting') return;
    delays.push(detail.delay);
    queueMicrotask(() => client.check()); // none of them is waited for
  });
  await until('a wait of the longest', () => delays.some((delay) => delay > 29_000));
  assert.deepEqual(delays, [...delays].sort((a, b) => a - b), 'none is shorter than the one before');
});

// A proxy whose server is away answers in its place.
test('what a proxy answers to a message is no word of the server', { timeout: 60_000 }, async (t) => {
  const server = await (await Server.start(t)).up();
  let refused = 0;
  const proxy = createServer(async (request, response) => {
    if (request.method === 'POST' && refused++ < 2) {
      response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad Gateway</h1>');
      return;
    }
    const { host, connection, ...headers } = request.headers;
    const answer = await fetch(`${server.http}${request.url}`, { method: request.method, headers, body: request.method === 'POST' ? request : undefined, duplex: 'half' });
    response.writeHead(answer.status, { 'Content-Type': answer.headers.get('Content-Type') ?? '' });
    for await (const chunk of answer.body ?? []) response.write(chunk);
    response.end();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  later(t, () => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const client = connect({ url: `http://127.0.0.1:${proxy.address().port}`, WebSocket: null });
  later(t, () => client.stop());
  await client.join('den').send('in the end');
  assert.ok(refused > 2);
});

test('what answers in the place of a server in which we were has no last word', { timeout: 60_000 }, async (t) => {
  const server = await (await Server.start(t)).up();
  const client = connect({ url: server.http, WebSocket });
  later(t, () => client.stop());
  const room = client.join('den');
  await room.send('before');
  await server.stop();
  let asked = 0;
  const other = createServer((request, response) => {
    asked++;
    response.writeHead(404).end('no such host');
  }).listen(server.port, '127.0.0.1');
  await once(other, 'listening');
  await until('two tries', () => {
    client.check();
    assert.notEqual(client.state, 'stopped');
    return asked > 3;
  });
  other.closeAllConnections();
  await new Promise((done) => { other.close(done); });
  await server.up();
  await until('the server back', () => {
    client.check();
    return client.state === 'open';
  });
  await room.send('behind');
});

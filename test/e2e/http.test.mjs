// The same chat over plain HTTP.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { decode } from '@msgpack/msgpack';
import { Server, root, until } from './harness.mjs';

test('plain HTTP', async (t) => {
  const server = await (await Server.start(t)).up();
  const at = (path) => `${server.http}/chat/room/den${path}`;
  const get = async (path, headers = {}) => (await fetch(at(path), { headers })).json();
  const post = (body, headers = {}, query = '') => fetch(at(`/messages${query}`), { method: 'POST', body, headers });

  await t.test('publish', async () => {
    const client = await server.connect('den', {}, 'edgechat.v1.json');
    const asJSON = await post('{"content":"from JSON","username":"nas"}', { 'Content-Type': 'application/json' });
    assert.equal(asJSON.status, 201);
    assert.deepEqual(await asJSON.json(), { ...await client.next('message') });
    // curl -d says that it is a form, and means text.
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const asText = await post(`backup done, as ${type}`, { 'Content-Type': type }, '?username=nas');
      assert.equal(asText.status, 201, type);
      const message = await client.next('message');
      assert.equal(message.content, `backup done, as ${type}`);
      assert.equal(message.username, 'nas');
    }
    // An object with content is a post all the same.
    const asForm = await post('{"content":"typed in a hurry"}', { 'Content-Type': 'application/x-www-form-urlencoded' }, '?username=nas');
    assert.equal(asForm.status, 201);
    const { username, content } = await client.next('message');
    assert.deepEqual({ username, content }, { username: 'nas', content: 'typed in a hurry' });
    await client.close();
  });

  await t.test('what the README tells to type into a shell', async () => {
    const lines = readFileSync(path.join(root, 'README.md'), 'utf8').match(/^ {4}curl .*$/gm);
    assert.ok(lines.length >= 6, lines.join('\n'));
    for (const line of lines) {
      if (line.includes('curl -N')) { // it has no end
        const child = spawn('sh', ['-c', `exec ${line.trim().replace('http://pi.local:3000', server.http)}`], { stdio: ['ignore', 'pipe', 'ignore'] });
        let output = '';
        child.stdout.on('data', (chunk) => { output += chunk; });
        await until('event of a stream', () => /^event: subscribed\ndata: \{.*\}\n\n/m.test(output));
        child.kill();
        continue;
      }
      const { stdout } = await promisify(execFile)('sh', ['-c', line.trim().replace('curl', 'curl -sS --fail').replace('http://pi.local:3000', server.http)]);
      for (const answer of stdout.trim().split('\n')) assert.equal(typeof JSON.parse(answer), 'object', line);
      if (line.includes('backup done')) assert.equal(JSON.parse(stdout).content, 'backup done');
    }
  });

  await t.test('a key is kept once', async () => {
    const first = await (await post('once', { 'Content-Type': 'text/plain', 'Idempotency-Key': 'h-1' }, '?username=nas')).json();
    const again = await (await post('once', { 'Content-Type': 'text/plain', 'Idempotency-Key': 'h-1' }, '?username=nas')).json();
    assert.equal(again.id, first.id);
    assert.equal((await get('/messages')).messages.filter((m) => m.content === 'once').length, 1);
  });

  await t.test('history in pages', async () => {
    for (let n = 0; n < 10; n++) await post(`page ${n}`, { 'Content-Type': 'text/plain' });
    const all = await get('/messages');
    assert.equal(all.room, 'den');
    assert.equal(all.id, all.messages.at(-1).id);
    assert.equal(all.oldest, all.messages[0].id);
    const newest = await get('/messages?limit=3');
    assert.deepEqual(newest.messages, all.messages.slice(-3));
    const before = await get(`/messages?limit=3&before=${newest.messages[0].id}`);
    assert.deepEqual(before.messages, all.messages.slice(-6, -3));
    const after = await get(`/messages?since=${newest.messages[0].id}`);
    assert.deepEqual(after.messages, all.messages.slice(-2));
    assert.equal(after.recovered, true);
    assert.equal((await get('/messages?since=unheardof-3')).recovered, false);

    const lines = await (await fetch(at('/messages'), { headers: { Accept: 'application/x-ndjson' } })).text();
    assert.deepEqual(lines.trim().split('\n').map((line) => JSON.parse(line)), all.messages);
    const packed = await fetch(at('/messages'), { headers: { Accept: 'application/msgpack' } });
    assert.equal(packed.headers.get('content-type'), 'application/msgpack');
    const page = decode(new Uint8Array(await packed.arrayBuffer()));
    assert.deepEqual(page.messages.map((m) => m.id), all.messages.map((m) => m.id));
  });

  await t.test('who is here', async () => {
    const alice = await server.connect('den', { username: 'Alice' });
    const twice = await server.connect('den', { username: 'Alice' });
    const { room, members } = await get('/members');
    assert.equal(room, 'den');
    assert.deepEqual(members.map(({ username, connections }) => ({ username, connections })), [{ username: 'Alice', connections: 2 }]);
    assert.ok(Date.parse(members[0].since) > 0);
    const { rooms } = await (await fetch(`${server.http}/chat/rooms`)).json();
    assert.deepEqual(rooms.map((r) => [r.room, r.members]), [['den', 2]]);
    await alice.close();
    await twice.close();
    assert.deepEqual((await get('/members')).members, []);
  });

  await t.test('what is wrong is said', async () => {
    for (const [body, headers, status, code] of [
      ['{"username":"nas"}', { 'Content-Type': 'application/json' }, 400, 'invalid_message'],
      ['{', { 'Content-Type': 'application/json' }, 400, 'invalid_message'],
      ['x'.repeat(5000), { 'Content-Type': 'text/plain' }, 400, 'invalid_message'],
      ['', { 'Content-Type': 'text/plain' }, 400, 'invalid_message'],
      ['x'.repeat(1 << 20), { 'Content-Type': 'text/plain' }, 413, 'too_large'],
      ['<a/>', { 'Content-Type': 'application/xml' }, 415, 'unsupported_media_type'],
    ]) {
      const answer = await post(body, headers);
      const { error } = await answer.json();
      assert.equal(answer.status, status, `${body.slice(0, 30)}: ${JSON.stringify(error)}`);
      assert.equal(error.code, code);
    }
    const deleted = await fetch(at('/messages'), { method: 'DELETE' });
    assert.equal(deleted.status, 405);
    assert.match(deleted.headers.get('allow'), /GET.*POST|POST.*GET/);
    assert.equal((await fetch(`${server.http}/chat/room/a%20b/messages`)).status, 400);
  });

  await t.test('HEAD, health and the page', async () => {
    for (const path of ['/healthz', '/readyz', '/', '/room/den', '/assets/page.js', '/chat/rooms', '/chat/room/den/messages']) {
      const head = await fetch(server.http + path, { method: 'HEAD' });
      assert.equal(head.status, 200, path);
      assert.equal(await head.text(), '', path);
      assert.equal((await fetch(server.http + path)).status, 200, path);
    }
    const { status } = await (await fetch(`${server.http}/readyz`)).json();
    assert.equal(status, 'ok');
    const page = await fetch(`${server.http}/room/den`);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
    const etag = page.headers.get('etag');
    assert.equal((await fetch(`${server.http}/room/other`, { headers: { 'If-None-Match': etag } })).status, 304);
    assert.equal((await fetch(`${server.http}/nowhere`)).status, 404);
  });
});

// Who may be where: 401 and 403 before anything else, and rights by room.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server } from './harness.mjs';

test('tokens', async (t) => {
  const server = await Server.start(t, '--tokens', 'FOLDER/tokens');
  const create = (...args) => server.run('token', 'create', ...args, '--tokens', 'FOLDER/tokens').trim();
  const alice = create('Alice', '--rooms', 'den,shed-*');
  const sensor = create('sensor', '--access', 'read');
  assert.match(alice, /^edc_[A-Za-z0-9_-]+$/, 'the token stands alone on standard output');
  await server.up();

  const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });

  await t.test('without a token, or with a wrong one', async () => {
    for (const [address, options] of [
      ['/chat/room/den', {}],
      ['/chat/room/den?token=wrong', {}],
      [`/chat/room/den?token=${alice}x`, {}],
      ['/chat/room/den', bearer('wrong')],
      ['/chat/room/den', { headers: { Authorization: 'Basic YTpi' } }],
    ]) {
      const answer = await server.refusal(address, undefined, options);
      assert.equal(answer.status, 401, `${address} ${JSON.stringify(options)}`);
      assert.equal(answer.error.code, 'unauthorized');
      assert.match(answer.headers['www-authenticate'], /^Bearer/);
      assert.ok(!JSON.stringify(answer).includes(alice), 'a token is never echoed');
    }
    for (const path of ['/chat/room/den/messages', '/chat/room/den/members', '/chat/rooms']) {
      const answer = await fetch(server.http + path);
      assert.equal(answer.status, 401, path);
      assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
    }
  });

  await t.test('health and the page need none', async () => {
    for (const path of ['/healthz', '/readyz', '/', '/room/den', '/assets/page.js']) {
      assert.equal((await fetch(server.http + path)).status, 200, path);
    }
  });

  await t.test('a token opens its rooms, and gives the name', async () => {
    for (const connect of [
      () => server.connect('den', { username: 'Mallory', since: 'all' }, undefined, bearer(alice)),
      () => server.connect('den', { username: 'Mallory', since: 'all', token: alice }),
      () => server.connect('shed-7', { since: 'all', token: alice }),
    ]) {
      const client = await connect();
      assert.equal((await client.next('subscribed')).username, 'Alice');
      client.say('hello');
      assert.equal((await client.next('message')).username, 'Alice');
      await client.close();
    }
    const answer = await server.refusal('/chat/room/kitchen', undefined, bearer(alice));
    assert.equal(answer.status, 403);
    assert.equal(answer.error.code, 'forbidden');
    assert.equal((await fetch(`${server.http}/chat/room/kitchen/messages`, bearer(alice))).status, 403);
  });

  await t.test('who may read may not write', async () => {
    const reader = await server.connect('den', { since: 'all' }, 'edgechat.v1.json', bearer(sensor));
    assert.equal((await reader.next('message')).content, 'hello');
    reader.say('not allowed', 'r-1');
    const error = await reader.next('error');
    assert.equal(error.code, 'forbidden');
    assert.equal(error.idempotency_key, 'r-1');
    await reader.close();
    const answer = await fetch(`${server.http}/chat/room/den/messages`, { method: 'POST', body: 'x', headers: { ...bearer(sensor).headers, 'Content-Type': 'text/plain' } });
    assert.equal(answer.status, 403);
  });

  await t.test('a token shows nowhere', async () => {
    await server.stop('SIGTERM');
    assert.ok(!server.output.includes(alice) && !server.output.includes(sensor), server.output);
  });
});

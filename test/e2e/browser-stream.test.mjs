// A room live over plain HTTP, with the EventSource of a real browser.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, sleep, until } from './harness.mjs';

test('EventSource in Chromium', async (t) => {
  const server = await (await Server.start(t, '--ping-interval', '1s')).up();
  const browser = await launch(t);
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${server.http}/healthz`);
  await page.evaluate(() => {
    globalThis.seen = [];
    globalThis.opens = 0;
    globalThis.source = new EventSource('/chat/room/den/events');
    for (const type of ['subscribed', 'message', 'edited', 'deleted', 'joined', 'left', 'typing', 'gap', 'close']) {
      globalThis.source.addEventListener(type, (event) => globalThis.seen.push({ id: event.lastEventId, ...JSON.parse(event.data), named: event.type }));
    }
    globalThis.source.addEventListener('open', () => { globalThis.opens += 1; });
  });
  const seen = (type) => page.evaluate((type) => globalThis.seen.filter((frame) => frame.type === type), type);
  const say = async (content) => {
    const answer = await fetch(`${server.http}/chat/room/den/messages?username=nas`, { method: 'PUT', body: content, headers: { 'Content-Type': 'text/plain' } });
    assert.equal(answer.status, 201);
    return answer.json();
  };
  await until('subscribed', async () => (await seen('subscribed')).length === 1);

  await t.test('live', async () => {
    const alice = await server.connect('den', { username: 'Alice' }, 'edgechat.v1.json');
    alice.say('one\nline', 'k-1');
    const frame = await alice.next('message');
    await until('message', async () => (await seen('message')).length === 1);
    assert.deepEqual((await seen('message'))[0], { ...frame, named: 'message' });
    assert.equal((await seen('joined'))[0].username, 'Alice');
    await alice.close();
  });

  await t.test('over a restart it misses nothing, and has nothing twice', async () => {
    await say('before');
    assert.equal(await server.stop(), 0);
    await until('close', async () => (await seen('close')).length === 1);
    assert.equal((await seen('close'))[0].code, 1012);
    await server.up();
    const during = [await say('while it is away'), await say('and again')];
    for (let end = Date.now() + 40_000; (await seen('subscribed')).length < 2; await sleep(100)) assert.ok(Date.now() < end, 'it did not come back');
    await say('after');
    await until('message', async () => (await seen('message')).length === 5);
    const messages = await seen('message');
    assert.deepEqual(messages.map((frame) => frame.content), ['one\nline', 'before', 'while it is away', 'and again', 'after']);
    assert.deepEqual(messages.slice(2, 4).map((frame) => frame.id), during.map((frame) => frame.id));
    assert.equal((await seen('subscribed'))[1].recovered, true);
    assert.equal((await seen('gap')).length, 0);
    assert.equal(await page.evaluate(() => globalThis.opens), 2);
  });
});

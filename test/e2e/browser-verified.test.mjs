// Who has a token is marked on the page, and nobody else, however much of a namesake he is.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, until } from './harness.mjs';
import { Person } from './person.mjs';

test('verified names', async (t) => {
  const server = await Server.start(t, '--jwt-key', 'FOLDER/key', '--tokens', 'FOLDER/tokens', '--anonymous', 'write');
  const key = randomBytes(48).toString('hex');
  writeFileSync(path.join(server.folder, 'key'), key, { mode: 0o600 });
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: '7', name: 'Alice', access: 'write', exp: Math.floor(Date.now() / 1000) + 600 })}`;
  const alice = `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
  const carol = server.run('token', 'create', 'Carol', '--tokens', 'FOLDER/tokens').trim();
  await server.up();
  const post = async (username, content, token) => {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${server.http}/chat/room/den/messages`, { method: 'POST', headers, body: JSON.stringify({ username, content, verified: true }) });
    return answer.status;
  };
  // heads are what stands above each message: "NAME✓" for a verified one, "" where it goes on under the head of the message before.
  const heads = (person) => person.page.evaluate(() => [...document.querySelectorAll('#log .message')].map((li) => {
    const name = li.querySelector('.head .name');
    return [li.querySelector('.text').textContent, getComputedStyle(li.querySelector('.head')).height === '0px' || li.classList.contains('follows') ? '' : name.textContent];
  }));

  assert.equal(await post('', 'before', alice), 201); // replayed
  assert.equal(await post('Alice', 'a namesake, right behind', undefined), 201); // nobody keeps the name of a signed token
  const browser = await launch(t);
  const bob = await Person.arrive(t, browser);
  await bob.join(server, 'Bob', 'den');
  await bob.sees('a namesake, right behind');
  assert.equal(await post('', 'live', alice), 201);
  assert.equal(await post('Alice', 'a namesake, live', undefined), 201);
  assert.equal(await post('', 'of a file', carol), 201);
  assert.equal(await post('', 'once more', carol), 201);
  for (const name of ['Carol', 'carol', 'С\u0430rol', 'Alice ✓', '✔Alice']) { // letters of another alphabet, and the mark itself
    assert.equal(await post(name, 'is not let in', undefined), 409, name);
  }
  await bob.say('by Bob');
  await bob.settled();
  await bob.sees('once more');
  const wanted = [
    ['before', 'Alice✓'], ['a namesake, right behind', 'Alice'], ['live', 'Alice✓'], ['a namesake, live', 'Alice'],
    ['of a file', 'Carol✓'], ['once more', ''], ['by Bob', 'Bob'],
  ];
  await until('each under a head of its own', async () => (await heads(bob)).length === wanted.length);
  assert.deepEqual(await heads(bob), wanted);
  assert.equal(await bob.page.locator('#log .verified').first().getAttribute('aria-label'), 'verified');
  await bob.page.reload();
  await bob.connected();
  await bob.sees('by Bob');
  assert.deepEqual(await heads(bob), wanted, 'after a reload');
  assert.deepEqual(bob.complaints, []);
});

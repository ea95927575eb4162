// The page in Firefox, at the size of a phone and of a desk. It is left out where there is none.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Firefox, executable } from './firefox.mjs';
import { Server, until } from './harness.mjs';

const enter = '\uE007';

test('in Firefox two people talk, and a server that was killed comes back', { skip: executable ? false : 'there is no firefox-esr' }, async (t) => {
  const server = await (await Server.start(t)).up();
  const firefox = await Firefox.launch(t);
  const people = [['Alice', await firefox.page(360, 740)], ['Bob', await firefox.page(1280, 800)]];
  const connected = ([, page]) => page.until('connection', `document.documentElement.dataset.connection === 'open' && /2/.test(document.getElementById('people-count').textContent)`);
  const said = (page) => page.run(`Array.from(document.querySelectorAll('#log .message .text'), (e) => e.textContent)`);
  const say = async (page, text) => {
    await page.run(`document.getElementById('text').focus()`);
    await page.type(text + enter);
  };
  const settled = ([, page]) => page.until('acknowledgement', `document.querySelectorAll('#log .pending').length === 0`);
  for (const [name, page] of people) {
    await page.goto(`${server.http}/`);
    await page.run(`document.getElementById('name').focus()`);
    await page.type(name + enter);
  }
  for (const person of people) await connected(person);
  const lines = [];
  for (const [name, page] of people) {
    lines.push(`Good morning from ${name}`);
    await say(page, lines.at(-1));
    for (const [, other] of people) await until('it on each page', async () => (await said(other)).includes(lines.at(-1)));
  }
  for (const person of people) await settled(person);
  assert.deepEqual(firefox.complaints, []);

  await server.stop('SIGKILL');
  for (const [name, page] of people) {
    await page.until('loss', `document.documentElement.dataset.connection !== 'open'`);
    lines.push(`said by ${name} while it was down`);
    await say(page, lines.at(-1));
  }
  await server.up();
  for (const person of people) {
    await person[1].run(`void dispatchEvent(new Event('online'))`);
    await connected(person);
    await settled(person);
  }
  const { messages } = await until('all of it', async () => {
    const answer = await (await fetch(`${server.http}/chat/room/general/messages`)).json();
    return answer.messages.length === lines.length && answer;
  });
  const contents = messages.map((m) => m.content);
  assert.deepEqual([...contents].sort(), [...lines].sort());
  for (const [, page] of people) await until('the same on each page', async () => JSON.stringify(await said(page)) === JSON.stringify(contents));
});

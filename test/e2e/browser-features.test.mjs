// What can be done on the page, each by the hand of somebody who does it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, later, until } from './harness.mjs';
import { Person, phone } from './person.mjs';

test('what one does with messages', async (t) => {
  const server = await (await Server.start(t, '--admin', 'FOLDER/admin.sock')).up();
  const browser = await launch(t);
  const alice = await Person.arrive(t, browser, phone);
  await alice.join(server, 'Alice', 'den');
  const { page } = alice;
  // act opens the menu of a message and takes something of it.
  const act = async (text, ...actions) => {
    await page.locator('.message', { has: page.locator('.text').getByText(text, { exact: true }) }).locator('.more').last().click();
    for (const action of actions) await page.locator('#sheet').getByRole('button', { name: action, exact: true }).click();
  };

  await t.test('an answer quotes', async () => {
    await server.say('den', 'Bob', 'Who is at home?\nAnd when?');
    await alice.sees('Who is at home?\nAnd when?');
    await page.locator('.message .more').last().click();
    await page.getByRole('button', { name: 'Reply' }).click();
    await page.keyboard.type('I am.');
    await page.keyboard.press('Enter');
    await alice.settled();
    assert.equal((await server.stored('den')).at(-1).content, '> Bob: Who is at home?\n> And when?\nI am.');
    assert.equal(await page.locator('#log .mine blockquote').textContent(), 'Bob: Who is at home?\nAnd when?\n');
  });

  await t.test('one\'s own is edited, and deleted after a question', async () => {
    await alice.say('a typo');
    await alice.settled();
    await act('a typo', 'Edit');
    await page.locator('#text').fill('never mind');
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#text').inputValue(), '', 'Escape gives up');
    await act('a typo', 'Edit');
    assert.equal(await page.locator('#text').inputValue(), 'a typo');
    await page.locator('#text').fill('no typo');
    await page.keyboard.press('Enter');
    await page.locator('#log [data-now=edited] .text').getByText('no typo', { exact: true }).waitFor();
    await act('no typo', 'Delete', 'Delete for everyone?');
    await page.locator('#log [data-now=deleted]').waitFor();
    const last = (await server.stored('den')).at(-1);
    assert.deepEqual([last.deleted, last.content], [true, undefined]);
    // What others said is theirs.
    await page.locator('.message .more').first().click();
    assert.deepEqual(await page.locator('#sheet .action').allTextContents(), ['Reply', 'Copy']);
    await page.keyboard.press('Escape');
  });

  await t.test('one that was refused is sent again, or given up', async () => {
    const admin = (...args) => server.run('admin', ...args, '--admin', 'FOLDER/admin.sock');
    admin('mute', '--name', 'Alice', '--for', '1h');
    for (const text of ['wanted', 'unwanted']) {
      await alice.say(text);
      await page.locator('#log .failed', { hasText: text }).waitFor();
    }
    admin('unmute', '--name', 'Alice');
    await act('unwanted', 'Discard');
    await act('wanted', 'Send again');
    await alice.settled();
    await until('one of them', async () => await page.locator('#log .failed').count() === 0);
    assert.deepEqual((await server.stored('den')).filter((m) => !m.deleted).map((m) => m.content).slice(-1), ['wanted']);
    assert.equal((await alice.said()).includes('unwanted'), false);
  });

  await t.test('a copy of several says who said them', async () => {
    await server.say('den', 'Bob', 'copied, too');
    await alice.sees('copied, too');
    const copied = await page.evaluate(() => {
      getSelection().selectAllChildren(document.getElementById('items'));
      const data = new DataTransfer();
      const event = new ClipboardEvent('copy', { clipboardData: data, cancelable: true, bubbles: true });
      document.getElementById('items').dispatchEvent(event);
      return data.getData('text/plain');
    });
    assert.match(copied, /^Bob \(.*\): Who is at home\?\nAnd when\?$/m);
    assert.match(copied, /^Alice \(.*\): wanted$/m);
    assert.match(copied, /^Bob \(.*\): copied, too$/m);
  });

  await t.test('a search goes from one to the next', async () => {
    await alice.menu('Search');
    await page.locator('#search-text').fill('TOO');
    await page.locator('#search-count').getByText('1 of 1', { exact: true }).waitFor();
    assert.equal(await page.locator('.found.current .text').textContent(), 'copied, too');
    await page.locator('#search-text').fill('bob');
    const all = await page.locator('.found').count();
    await page.locator('#search-count').getByText(`${all} of ${all}`, { exact: true }).waitFor(); // the newest first
    await page.keyboard.press('Enter');
    await page.locator('#search-count').getByText(`1 of ${all}`, { exact: true }).waitFor();
    await page.locator('#search-text').fill('nowhere');
    await page.locator('#search-count').getByText('none', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('.found').count(), 0);
  });

  await t.test('days are told apart, with their year', async () => {
    await page.clock.install({ time: Date.now() + 400 * 86_400_000 });
    await page.reload();
    await alice.sees('wanted');
    const [day] = await page.locator('#log .day').allTextContents();
    assert.ok(day.includes(String(new Date().getFullYear())), day);
  });
});

test('a server that is away, and the settings', async (t) => {
  const server = await (await Server.start(t)).up();
  const browser = await launch(t);

  await t.test('"try now" does not wait', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'den');
    await server.stop('SIGKILL');
    await alice.is('waiting');
    await alice.page.locator('#offline').getByText(/No connection\. Next try in \d+ s\./).waitFor();
    await server.up();
    await until('the connection', async () => {
      await alice.page.locator('#try-now').click({ timeout: 1_000 }).catch(() => {}); // it may have come back by itself
      return await alice.page.locator('html[data-connection=open]').count() === 1;
    });
    assert.equal(await alice.page.locator('#offline').isVisible(), false);
  });

  await t.test('settings are kept; nothing rings, counts or notifies unless it is asked to', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.context.grantPermissions(['notifications']);
    await alice.page.addInitScript(() => {
      window.rung = [];
      window.AudioContext = class { constructor() { window.rung.push('sound'); throw new Error('no sound here'); } };
      window.Notification = class { static permission = 'granted'; static requestPermission = async () => 'granted'; constructor(title) { window.rung.push(title); } close() {} };
    });
    await alice.join(server, 'Alice', 'other');
    await alice.go('den');
    await server.say('other', 'Bob', 'not heard');
    await alice.page.locator('#room-list .badge').waitFor();
    assert.deepEqual(await alice.page.evaluate(() => [window.rung, document.title]), [[], 'den · edgechat']);
    await alice.menu('Settings');
    const pick = (label, value) => alice.page.locator('.setting', { hasText: label }).locator('select').selectOption(value);
    await pick('Colors', 'dark');
    await pick('Text size', '130');
    await pick('Clock', '24');
    await alice.page.locator('.setting', { hasText: 'Count unread' }).locator('input').check();
    await alice.page.locator('.setting', { hasText: 'Notifications' }).locator('input').check();
    await pick('Language', 'de');
    assert.equal(await alice.page.locator('#sheet-close').textContent(), 'Schließen');
    await alice.page.locator('#sheet-close').click();
    await until('the count', async () => await alice.page.title() === '(1) den · edgechat');
    await server.say('other', 'Bob', 'heard');
    await until('the notification', async () => (await alice.page.evaluate(() => window.rung)).join() === 'Bob · other');
    await alice.page.reload();
    await alice.is('open');
    const kept = await alice.page.evaluate(() => [document.documentElement.dataset.theme, document.documentElement.style.fontSize, document.documentElement.lang, document.getElementById('text').placeholder]);
    assert.deepEqual(kept, ['dark', '130%', 'de', 'Nachricht']);
    for (const time of await alice.page.locator('#log time').allTextContents()) assert.match(time, /^\d\d:\d\d$/);
  });

  await t.test('each language has each text', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.page.goto(server.http);
    const source = await (await fetch(`${server.http}/assets/page.js`)).text();
    const [, tables] = /const table ?= ?(\{[\s\S]*?\});/.exec(source);
    const keys = await alice.page.evaluate(`Object.entries(${tables}).map(([language, texts]) => [language, Object.keys(texts).sort().join()])`);
    assert.deepEqual(keys.map(([language]) => language), ['en', 'de', 'fr', 'es']);
    for (const [language, texts] of keys) assert.equal(texts, keys[0][1], language);
  });

  await t.test('it works where nothing may be stored', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.page.addInitScript(() => {
      Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } });
    });
    await alice.join(server, 'Alice', 'bare');
    await alice.say('kept nowhere');
    await alice.settled();
    assert.deepEqual((await server.stored('bare')).map((m) => m.content), ['kept nowhere']);
    assert.equal(await alice.page.locator('#log .mine').count(), 1);
  });

  await t.test('it says that it needs JavaScript', async (t) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    later(t, () => context.close());
    const page = await context.newPage();
    await page.goto(server.http);
    const text = page.locator('noscript p'); // which getByText passes over
    await text.waitFor();
    assert.match(await text.innerText(), /^This page needs JavaScript\. .*chat\/room\/NAME\/messages\.$/);
  });

  await t.test('manifest and icons are there', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.page.goto(`${server.http}/room/den`);
    const links = await alice.page.locator('link:is([rel=manifest], [rel=icon], [rel=apple-touch-icon])').evaluateAll((all) => all.map((link) => link.href));
    assert.equal(links.length, 3);
    for (const link of links) assert.equal((await fetch(link)).status, 200, link);
    const manifest = await (await fetch(links.find((link) => link.endsWith('.webmanifest')))).json();
    assert.ok(manifest.name && manifest.start_url && manifest.display === 'standalone');
    for (const { src } of manifest.icons) assert.equal((await fetch(new URL(src, links.find((link) => link.endsWith('.webmanifest'))))).status, 200, src);
    assert.equal(await alice.page.evaluate(async () => {
      const image = new Image();
      image.src = document.querySelector('link[rel=apple-touch-icon]').href;
      await image.decode();
      return image.naturalWidth;
    }), 180);
  });
});

test('a moderator deletes what others said, and nobody asks whether they may', async (t) => {
  const server = await Server.start(t, '--tokens', 'FOLDER/tokens', '--anonymous', 'write');
  const token = server.run('token', 'create', 'Mum', '--access', 'moderate', '--tokens', 'FOLDER/tokens').trim();
  await server.up();
  const browser = await launch(t);
  const mum = await Person.arrive(t, browser, phone);
  const asked = [];
  mum.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await mum.page.goto(`${server.http}/room/den#token=${token}`);
  await mum.connected();
  const ben = await Person.arrive(t, browser);
  await ben.join(server, 'Ben', 'den');
  await ben.say('a secret');
  await mum.sees('a secret');
  await mum.page.locator('.message .more').click();
  for (const name of ['Delete', 'Delete for everyone?']) await mum.page.locator('#sheet').getByRole('button', { name, exact: true }).click();
  await ben.page.locator('#log [data-now=deleted]').waitFor();
  assert.deepEqual(asked.filter((path) => path.endsWith('/moderation')), []);
  // Her name is marked wherever it stands, and his is not.
  await mum.say('so');
  await mum.settled();
  await ben.sees('so');
  const marked = (where) => ben.page.locator(where).evaluateAll((all) => all.map((name) => name.textContent));
  assert.deepEqual(await marked('#people-list .name'), ['Ben', 'Mum✓']);
  assert.deepEqual(await marked('#log .message .head .name'), ['Ben', 'Mum✓']);
  assert.deepEqual(await marked('#room-list .room-last .name'), ['Mum✓']);
  await mum.page.locator('#text').pressSequentially('hm, let me see', { delay: 150 });
  await ben.page.locator('#typing .name').getByText('Mum✓').waitFor();
  await mum.page.close();
  await ben.page.locator('#log .note .name').getByText('Mum✓').waitFor();
});

// What others write, wherever it is shown, is text: no script of it runs, and none would if it became markup.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { Server, until } from './harness.mjs';
import { Attacker, effective, insert, payloads, said, victim, visit } from './attacker.mjs';

// Of at most 32 characters, as a name may be.
const names = ['<img src=x onerror=alert(21)>', '<svg onload=alert(22)>', '"><b onclick=alert(23)>b</b>', '<script>alert(24)</script>', 'javascript:alert(25)', '\'-alert(26)-\''];

test('what others write', async (t) => {
  const browser = await victim(t);
  const attacker = await Attacker.start(t);
  const server = await (await Server.start(t, '--rate', '0', '--join-rate', '0')).up();
  const post = (room, name, body) => fetch(`${server.http}/chat/room/${room}/messages?username=${encodeURIComponent(name)}`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body });

  // nothing is what a page must show of all that: no dialog, no element that came from it, and no link with a script.
  const nothing = async (page, within) => {
    const found = await page.evaluate((within) => ({
      elements: [...document.querySelectorAll(':is(script, style, iframe, img, svg, form, base, meta, input, details)')].filter((e) => e.closest(within) && !e.matches('svg.icon')).map((e) => e.outerHTML),
      handlers: [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length,
      links: [...document.links].filter((a) => !['http:', 'https:'].includes(a.protocol) && a.href.split('#')[0] !== location.href).map((a) => a.href),
      base: document.baseURI === location.href,
    }), within);
    assert.deepEqual({ ...found, dialogs: page.dialogs, violations: page.violations }, { elements: [], handlers: 0, links: [], base: true, dialogs: [], violations: [] });
  };

  await t.test('these scripts do run where they become markup', async (t) => {
    const { page } = await visit(t, browser, attacker.site);
    await insert(page);
    await until('dialog of each', () => page.dialogs.length === effective);
    const echoed = await visit(t, browser, `${attacker.site}/echo?html=${encodeURIComponent('<script>alert(11)</script><svg onload=alert(2)></svg>')}`);
    await until('dialogs of a document', () => echoed.page.dialogs.length === 2);
  });

  await t.test('as messages, names and what is typed', async (t) => {
    const { page } = await visit(t, browser, server.http);
    for (const name of names) assert.equal((await post('xss', name, `before, by ${name}`)).status, 201, name);
    await page.locator('#name').fill(names[0]);
    await page.locator('#room').fill('xss');
    await page.getByRole('button', { name: 'Join' }).click();
    await page.locator('#state').getByText('here').waitFor(); // or Eve may be there before her
    const eve = await server.connect('xss', { username: names[1] }, 'edgechat.v1.json');
    for (const text of payloads) {
      eve.say(text);
      eve.send({ type: 'typing' });
    }
    await page.locator('#text').fill(payloads[0]);
    await page.keyboard.press('Enter');
    await until('all of it on the page', async () => {
      const texts = await page.locator('#log .message .text').allTextContents();
      return texts.length === names.length + payloads.length + 1 && payloads.every((text) => texts.includes(text));
    });
    await page.getByText(`${names[1]} joined`, { exact: true }).first().waitFor();
    await nothing(page, '#log, #people, #room-list, #other-list, #title, #typing, #notice, #state');
    // What turns the direction of letters ends with its message.
    const bidi = await page.evaluate(() => [...new Set(Array.from(document.querySelectorAll('#log .message :is(.text, bdi)'), (e) => getComputedStyle(e).unicodeBidi))]);
    assert.ok(bidi.every((value) => value.startsWith('isolate') || value === 'plaintext'), bidi.join());
    await page.reload(); // the history, too
    await page.locator('html[data-connection=open]').waitFor({ state: 'attached' });
    await until('all of it again', async () => await page.locator('#log .message .text').count() === names.length + payloads.length + 1);
    await nothing(page, '#log, #people, #room-list, #other-list, #title, #typing, #notice, #state');
    await eve.close();

    // And if a mistake made it markup, the policy of the page has the last word.
    await insert(page);
    await until('violation of the policy', () => page.violations.length >= effective);
    await page.evaluate(() => new Promise((done) => { setTimeout(done, 0); }));
    assert.deepEqual(page.dialogs, []);
    assert.equal(await page.evaluate(() => document.baseURI === location.href), true);
  });

  await t.test('in the address', async (t) => {
    const { page } = await visit(t, browser, server.http);
    for (const text of payloads) {
      await page.goto(`${server.http}/room/${encodeURIComponent(text)}?x=${encodeURIComponent(text)}#${text}`);
      const room = page.locator('#room');
      await page.locator('#door').or(page.locator('#chat')).filter({ visible: true }).first().waitFor();
      if (await room.isVisible()) {
        await page.locator('#name').fill('Ann');
        await page.getByRole('button', { name: 'Join' }).click();
        await page.getByRole('alert').filter({ hasText: 'name of the room' }).waitFor();
      }
      assert.ok(await page.locator('#door img').count() <= 1, 'the icon alone');
      assert.deepEqual([page.dialogs, page.violations], [[], []], text);
    }
  });

  await t.test('in answers that quote it', async (t) => {
    const { page } = await visit(t, browser, server.http);
    const looksAt = async (address) => {
      const answer = await page.goto(address);
      assert.equal(answer.headers()['x-content-type-options'], 'nosniff', address);
      assert.ok(!/html/.test(answer.headers()['content-type']), address);
      assert.equal(await page.evaluate(() => document.querySelectorAll('script, img, svg, iframe, form, a').length), 0, address);
      assert.deepEqual(page.dialogs, [], address);
      return answer.status();
    };
    for (const at of ['/chat/room/', '/room/x/', '/assets/', '/chat/room/den/messages?since=', '/']) {
      assert.ok(await looksAt(`${server.http}${at}${encodeURIComponent('<script>alert(1)</script>')}`) >= 400, at);
    }
    assert.equal(await looksAt(`${server.http}/chat/room/xss/messages`), 200); // the history as a document of its own
  });

  await t.test('in a page that is exported', async (t) => {
    for (const text of payloads) assert.equal((await post('export', names[payloads.indexOf(text) % names.length], text)).status, 201);
    const all = await said(server, 'export');
    await server.stop();
    const file = path.join(server.folder, 'export.html');
    writeFileSync(file, server.run('export', '--html', 'export', '--data', 'FOLDER/data'));
    const { page } = await visit(t, browser, pathToFileURL(file).href);
    assert.deepEqual(await page.locator('.said p').allTextContents(), all.map((text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '\ufffd')), 'nothing turns the direction');
    await nothing(page, 'body');
    await insert(page);
    await until('violation of the policy', () => page.violations.length >= effective);
    assert.deepEqual(page.dialogs, []);
  });
});

// What somebody on a phone lives through: rooms, keyboards, dead lines, namesakes, a reader of screens.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, root, until } from './harness.mjs';
import { Person, desktop, launch, phone } from './person.mjs';

const axe = readFileSync(path.join(root, 'test/e2e/node_modules/axe-core/axe.min.js'), 'utf8');

test('a phone', async (t) => {
  const server = await (await Server.start(t, '--history', '5000')).up();
  const browser = await launch(t);

  await t.test('what came meanwhile is counted, and begins at a line', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'news');
    await alice.say('mine');
    await alice.settled();
    await alice.go('elsewhere');
    await alice.page.goto('about:blank');
    for (const n of [1, 2, 3]) await server.say('news', 'Bob', `news ${n}`);
    await alice.page.goto(`${server.http}/room/elsewhere`);
    await alice.page.locator('#elsewhere').getByText('3', { exact: true }).waitFor();
    await alice.go('news');
    await alice.page.locator('#log .unread').waitFor();
    assert.equal(await alice.page.locator('#log li:has(.unread) .text').textContent(), 'news 1');
    await until('it is read', () => alice.page.locator('#elsewhere').isHidden());
  });

  await t.test('a namesake is somebody else, and a name is no sentence of the page', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'same');
    const other = await server.connect('same', { username: 'Alice' });
    other.say('from the other Alice');
    await alice.sees('from the other Alice');
    await alice.say('from me');
    await alice.settled();
    assert.deepEqual(await alice.page.locator('#log .mine .text').allTextContents(), ['from me']);
    await alice.page.reload();
    await alice.connected();
    await alice.sees('from me');
    assert.deepEqual(await alice.page.locator('#log .mine .text').allTextContents(), ['from me']);
    const joker = await server.connect('same', { username: 'x left. admin joined' });
    await alice.page.locator('#log .note bdi').getByText('x left. admin joined', { exact: true }).waitFor();
    await Promise.all([other.close(), joker.close()]);
  });

});

test('for readers of screens, at 200 %, and by key', async (t) => {
  const server = await (await Server.start(t)).up();
  const browser = await launch(t);
  for (const [name, content] of [['Mum', 'Who is at home?'], ['Ben', 'I am: https://example.org'], ['Zoë', '> Ben: I am\nme too']]) await server.say('family', name, content);
  for (const options of [phone, { ...phone, colorScheme: 'light' }, desktop, { ...desktop, colorScheme: 'dark' }]) {
    await t.test(`${options.viewport.width} x ${options.viewport.height}, ${options.colorScheme}`, async (t) => {
      const alice = await Person.arrive(t, browser, options);
      const check = async (view) => {
        // The policy of the page lets no script in but its own; a debugger's is.
        const found = await alice.page.evaluate(`${axe};axe.run({ resultTypes: ['violations'] }).then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))]))`);
        assert.deepEqual(found, [], view);
      };
      await alice.page.goto(server.http);
      await check('the door');
      await alice.enter('Alice', 'family');
      await alice.connected();
      await alice.say('mine');
      await alice.settled();
      await check('the chat');
      const small = options.viewport.width < 700;
      for (const panel of small ? ['rooms', 'people'] : []) {
        await alice.page.locator(`#${panel}-button`).click();
        await alice.page.locator(`#${panel}.over`).waitFor();
        await check(panel);
        await alice.page.keyboard.press('Escape');
        await alice.page.locator(`#${panel}`).waitFor({ state: 'hidden' });
      }
      if (small) {
        await alice.page.locator('#people-button').click();
        await alice.page.mouse.click(20, 400); // outside
        await alice.page.locator('#people').waitFor({ state: 'hidden' });
      }
      await alice.page.locator('.message .more').last().click();
      await check('actions');
      await alice.page.keyboard.press('Escape');
      for (const view of ['Invite', 'Settings']) {
        await alice.menu(view);
        if (view === 'Invite') await until('the QR code', () => alice.page.locator('.qr').evaluate((image) => image.naturalWidth > 0));
        await check(view);
        await alice.page.keyboard.press('Escape');
      }
      await alice.page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      const title = await alice.page.locator('#title').boundingBox();
      assert.ok(title.width >= 100, `at 200 % the title has ${title.width} px`);
      assert.ok(await alice.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    });
  }
});

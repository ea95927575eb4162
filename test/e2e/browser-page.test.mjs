// What somebody on a phone lives through: rooms, keyboards, dead lines, namesakes, a reader of screens.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, root, until } from './harness.mjs';
import { Person, looks, network, phone } from './person.mjs';

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

  await t.test('a room has one name, however its address is spelt', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'elsewhere');
    await alice.page.goto(`${server.http}/room/u%CC%88ber`);
    await alice.connected();
    await alice.say('here');
    await alice.settled();
    assert.equal(new URL(await alice.page.url()).pathname, '/room/%C3%BCber');
    assert.deepEqual((await server.stored('über')).map(({ content }) => content), ['here']);
    await alice.go('elsewhere');
    await alice.page.locator('#rooms-button').click();
    await alice.page.locator('#room-name').fill('u\u0308ber');
    await alice.page.locator('#room-form button').click();
    await alice.page.locator('#title').getByText('über', { exact: true }).waitFor();
    await alice.sees('here');
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
    // Another room may have a message of the same id.
    await server.say('the-same', 'Bob', 'from Bob');
    await server.say('the-same', 'Bob', 'from Bob, again');
    const mine = (await server.stored('same')).find((m) => m.content === 'from me');
    assert.ok((await server.stored('the-same')).some((m) => m.id === mine.id));
    await alice.go('the-same');
    await alice.sees('from Bob, again');
    assert.equal(await alice.page.locator('#log .mine').count(), 0);
    await alice.go('same');
    const joker = await server.connect('same', { username: 'x left. admin joined' });
    await alice.page.locator('#log .note bdi').getByText('x left. admin joined', { exact: true }).waitFor();
    await Promise.all([other.close(), joker.close()]);
  });

});

test('for readers of screens, at 200 %, and by key', async (t) => {
  const server = await (await Server.start(t)).up();
  const browser = await launch(t);
  for (const [name, content] of [['Mum', 'Who is at home? Dinner is at seven.'], ['Ben', 'I am: https://example.org'], ['Zoë', '> Ben: I am\nme too'], ['Grandpa', 'I am bringing the photos from the lake, all forty of them. 📷'], ['Mum', 'Wonderful!']]) await server.say('family', name, content);
  await server.say('garden', 'Ben', 'The pump runs since six.');
  for (const options of looks) {
    const small = options.viewport.width < 700;
    await t.test(`${options.viewport.width} x ${options.viewport.height}, ${options.colorScheme}`, async (t) => {
      const alice = await Person.arrive(t, browser, options);
      const { page } = alice;
      const check = async (view) => {
        // The policy of the page lets no script in but its own; a debugger's is.
        const found = await page.evaluate(`${axe};axe.run({ resultTypes: ['violations'] }).then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))]))`);
        assert.deepEqual(found, [], view);
        await alice.shot(`${view}-${small ? 'phone' : 'desktop'}-${options.colorScheme}`);
      };
      await page.goto(server.http);
      await check('door');
      alice.excused = network; // 400
      await alice.enter('Eve\u202e', 'family');
      await page.locator('#refusal').getByText('username').waitFor();
      await check('refused');
      await page.goto(`${server.http}/room/garden`);
      await alice.enter('Alice', 'garden');
      await alice.connected();
      alice.excused = null;
      await alice.go('family');
      await alice.connected();
      await alice.say('Shall I cook?');
      await alice.settled();
      await server.say('garden', 'Ben', 'And the tomatoes are ripe.');
      await page.locator('#room-list .badge').waitFor({ state: 'attached' });
      await check('chat');
      for (const panel of small ? ['rooms', 'people'] : []) {
        await page.locator(`#${panel}-button`).click();
        await page.locator(`#${panel}.over`).waitFor();
        await check(panel);
        await page.keyboard.press('Escape');
        await page.locator(`#${panel}`).waitFor({ state: 'hidden' });
      }
      if (small) {
        await page.locator('#people-button').click();
        await page.mouse.click(20, 400); // outside
        await page.locator('#people').waitFor({ state: 'hidden' });
      }
      await page.locator('.message .more').last().click();
      await check('actions');
      await page.getByRole('button', { name: 'Edit' }).click();
      await check('edit');
      await page.locator('#mode-end').click();
      await page.locator('#menu-button').click();
      await check('menu');
      await page.keyboard.press('Escape');
      for (const view of ['Invite', 'Settings']) {
        await alice.menu(view);
        if (view === 'Invite') await until('the QR code', () => page.locator('.qr').evaluate((image) => image.naturalWidth > 0));
        await check(view.toLowerCase());
        await page.keyboard.press('Escape');
      }
      await alice.menu('Search');
      await page.locator('#search-text').fill('home');
      await check('search');
      await page.keyboard.press('Escape');
      await alice.say('x'.repeat(5000));
      await page.locator('#notice').waitFor();
      await check('notice');
      await page.locator('#text').fill('');
      await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      const title = await page.locator('#title').boundingBox();
      assert.ok(title.width >= 100, `at 200 % the title has ${title.width} px`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      await check('twice');
      await page.evaluate(() => { document.documentElement.style.fontSize = ''; });
      await server.stop('SIGKILL');
      await alice.is('waiting');
      await alice.say('Said without a connection');
      await check('waiting');
      await server.up();
      await page.locator('#try-now').click({ timeout: 2_000 }).catch(() => {}); // it may be back by itself
      await alice.is('open');
      await alice.settled();
    });
  }
});

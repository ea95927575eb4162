// What somebody on a phone lives through: rooms, keyboards, dead lines, namesakes, a reader of screens.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, root, until } from './harness.mjs';
import { Person, desktop, launch, phone } from './person.mjs';
import { Relay } from './relay.mjs';

const axe = readFileSync(path.join(root, 'test/e2e/node_modules/axe-core/axe.min.js'), 'utf8');

const say = (server, room, username, content) => fetch(`${server.http}/chat/room/${room}/messages`, {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username, content }),
});

// go changes to a room over the list of rooms.
async function go(person, room) {
  const button = person.page.locator('#rooms-button');
  if (await button.isVisible()) await button.click();
  await person.page.locator('#room-name').fill(room);
  await person.page.locator('#room-form button').click();
  await person.page.locator('#title').getByText(room, { exact: true }).waitFor();
}

// below is how many pixels of what was said are hidden below the list's edge.
const below = (person) => person.page.evaluate(() => {
  const log = document.getElementById('log');
  return log.scrollHeight - log.scrollTop - log.clientHeight;
});

test('a phone', async (t) => {
  const server = await (await Server.start(t, '--history', '5000')).up();
  const browser = await launch(t);

  await t.test('what waits and what is half written stays with its room', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'den');
    await server.stop('SIGKILL');
    await alice.is('waiting');
    await alice.say('waits in the den');
    await alice.page.locator('#text').fill('half a sentence in the den');
    await go(alice, 'attic');
    assert.equal(await alice.page.locator('#text').inputValue(), '');
    await alice.say('waits in the attic');
    await alice.page.locator('#text').fill('half a sentence in the attic');
    await server.up();
    await alice.page.reload();
    await alice.connected();
    assert.equal(await alice.page.locator('#text').inputValue(), 'half a sentence in the attic');
    await alice.settled();
    await go(alice, 'den');
    assert.equal(await alice.page.locator('#text').inputValue(), 'half a sentence in the den');
    await alice.settled();
    for (const room of ['den', 'attic']) {
      const { messages } = await until('it is stored', async () => {
        const page = await (await fetch(`${server.http}/chat/room/${room}/messages`)).json();
        return page.messages.length > 0 && page;
      });
      assert.deepEqual(messages.map((m) => m.content), [`waits in the ${room}`]);
    }
  });

  await t.test('a keyboard and a long draft hide nothing new', async (t) => {
    for (let n = 0; n < 25; n++) await say(server, 'keys', 'Bob', `line ${n}`);
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'keys');
    await alice.sees('line 24');
    await alice.page.setViewportSize({ width: 360, height: 440 });
    await until('the end after the keyboard', async () => await below(alice) < 2);
    await alice.page.locator('#text').fill('one\ntwo\nthree\nfour\nfive');
    await until('the end above the draft', async () => await below(alice) < 2);
    await say(server, 'keys', 'Bob', 'while it is up');
    await alice.sees('while it is up');
    await until('it is followed', async () => await below(alice) < 2);

    await alice.page.locator('#log').evaluate((log) => { log.scrollTop = 0; });
    await alice.page.waitForTimeout(200);
    await say(server, 'keys', 'Bob', 'out of sight');
    await alice.page.locator('#newer').waitFor();
    const [button, field] = [await alice.page.locator('#newer').boundingBox(), await alice.page.locator('#text').boundingBox()];
    assert.ok(button.y + button.height <= field.y, 'the button lies over the draft');
  });

  await t.test('a dead line is noticed when somebody looks again', async (t) => {
    const relay = await Relay.to(t, server.port);
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(relay, 'Alice', 'line');
    relay.hold();
    const from = Date.now();
    await alice.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await until('the page says so', async () => await alice.page.evaluate(() => document.documentElement.dataset.connection) !== 'open');
    assert.ok(Date.now() - from < 3_000 + 5_000, `after ${Date.now() - from} ms`);
    relay.resume();
    await until('it is back', async () => {
      await alice.page.evaluate(() => window.dispatchEvent(new Event('online')));
      return await alice.page.evaluate(() => document.documentElement.dataset.connection) === 'open';
    });
  });

  await t.test('what came meanwhile is counted, and begins at a line', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'news');
    await alice.say('mine');
    await alice.settled();
    await go(alice, 'elsewhere');
    await alice.page.goto('about:blank');
    for (const n of [1, 2, 3]) await say(server, 'news', 'Bob', `news ${n}`);
    await alice.page.goto(`${server.http}/room/elsewhere`);
    await alice.page.locator('#elsewhere').getByText('3', { exact: true }).waitFor();
    await go(alice, 'news');
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

  await t.test('older messages come in above without a jump', async (t) => {
    for (let n = 0; n < 300; n += 20) await Promise.all(Array.from({ length: 20 }, (_, m) => say(server, 'long', 'Bob', `message ${n + m}`)));
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'long');
    await until('the newest', async () => await alice.page.locator('#log .message').count() >= 50);
    for (let count = 0; !await alice.page.locator('#beginning').isVisible() || count === 0; count++) {
      assert.ok(count < 400, 'no beginning');
      // What stands in the middle of the screen stands there after older ones have come in.
      const moved = await alice.page.evaluate(async () => {
        const log = document.getElementById('log');
        log.scrollTop = Math.max(0, log.scrollTop - 500);
        const middle = document.elementFromPoint(100, 350).closest('li');
        if (!middle) return 0;
        const before = middle.getBoundingClientRect().top;
        const had = document.getElementById('items').childElementCount;
        for (let n = 0; n < 10 && document.getElementById('items').childElementCount === had; n++) await new Promise((done) => { setTimeout(done, 20); });
        return Math.abs(middle.getBoundingClientRect().top - before);
      });
      assert.ok(moved < 2, `a jump of ${moved} px`);
    }
    assert.equal(await alice.page.locator('#log .message').count(), 300);
    assert.deepEqual(alice.complaints, []);
  });
});

test('for readers of screens, at 200 %, and by key', async (t) => {
  const server = await (await Server.start(t)).up();
  const browser = await launch(t);
  for (const [name, content] of [['Mum', 'Who is at home?'], ['Ben', 'I am: https://example.org'], ['Zoë', '> Ben: I am\nme too']]) await say(server, 'family', name, content);
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
      assert.deepEqual(alice.complaints, []);
    });
  }
});

// The page without WebSockets: in the mini-browser in which a phone shows the sign-in page of a Wi-Fi, and on a network
// that lets none through.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, until } from './harness.mjs';
import { Person, network, phone } from './person.mjs';

const without = () => { delete globalThis.WebSocket; };
const refusing = () => {
  globalThis.WebSocket = class {
    constructor() { setTimeout(() => this.onclose?.({ code: 1006, reason: '' })); }
    close() {}
  };
};

test('the page without WebSockets', async (t) => {
  const server = await (await Server.start(t, '--ping-interval', '2s', '--drain-timeout', '1s')).up();
  const browser = await launch(t);
  const alice = await Person.arrive(t, browser);
  await alice.join(server, 'Alice', 'den');

  for (const [name, script, options] of [['Bob', without, phone], ['Carol', refusing, undefined]]) {
    await t.test(name, async (t) => {
      const person = await Person.arrive(t, browser, options);
      person.excused = network;
      await person.page.addInitScript(script);
      const sockets = [];
      person.page.on('websocket', (socket) => sockets.push(socket.url()));
      await person.join(server, name, 'den');
      await Promise.all([alice.here(2), person.here(2)]);
      await person.say(`hello from ${name}`);
      await alice.sees(`hello from ${name}`);
      await person.settled();
      await alice.say(`hello, ${name}`);
      await person.sees(`hello, ${name}`);
      assert.deepEqual((await person.said()).slice(-2), [`hello from ${name}`, `hello, ${name}`]);

      await t.test('it notices a server that restarts, and misses nothing', async () => {
        assert.equal(await server.stop(), 0);
        await person.is('waiting');
        await person.say(`${name}, meanwhile`);
        await server.up();
        await fetch(`${server.http}/room/den?username=nas`, { method: 'POST', body: `to ${name}`, headers: { 'Content-Type': 'text/plain' } });
        await person.sees(`to ${name}`);
        await person.settled();
        await alice.sees(`${name}, meanwhile`);
        await until('all of it, once', async () => (await person.said()).filter((text) => text === `${name}, meanwhile`).length === 1);
        await alice.connected();
      });
      await person.connected();

      await t.test('what was said can be changed and taken back', async () => {
        const item = person.page.locator('#log .message', { hasText: `hello from ${name}` });
        await item.locator('.more').click();
        await person.page.getByRole('button', { name: 'Edit', exact: true }).click();
        await person.say(`greetings from ${name}`);
        await alice.sees(`greetings from ${name}`);
      });

      await t.test('a third room', async () => {
        for (const room of ['attic', 'cellar']) {
          await person.page.evaluate((room) => {
            document.getElementById('room-name').value = room;
            document.getElementById('room-form').requestSubmit();
          }, room);
          await person.connected();
          await person.say(`in ${room}`);
          await person.settled();
        }
      });

      await t.test('a fourth room is told to wait for another to be left', async () => {
        const go = (room) => person.page.evaluate((room) => {
          document.getElementById('room-name').value = room;
          document.getElementById('room-form').requestSubmit();
        }, room);
        await go('\u202eloft <b>');
        await person.page.locator('#notice').getByText('may not hold').waitFor();
        await go('loft');
        await person.page.locator('#notice').getByText('You can be in 3 rooms at once here. Leave one, and “loft” opens.').waitFor();
        assert.deepEqual([await person.page.locator('#title').textContent(), new URL(person.page.url()).pathname], ['cellar', '/room/cellar']);
        await person.say('still in cellar');
        await person.settled();
        await person.menu('Leave this room');
        await person.page.locator('#room-list .room-name', { hasText: 'loft' }).waitFor({ state: 'attached' });
        await fetch(`${server.http}/room/loft?username=nas`, { method: 'POST', body: `to loft for ${name}`, headers: { 'Content-Type': 'text/plain' } });
        await person.page.locator('#room-list .room-last', { hasText: `to loft for ${name}` }).waitFor({ state: 'attached' });
        await go('loft');
        await person.connected();
        await person.say('in loft');
        await person.settled();
        await go('cellar');
        await person.page.locator('#notice').getByText('“cellar” opens').waitFor();
      });
      assert.deepEqual(sockets, []);
      await person.page.close();
      await alice.here(1);
    });
  }
});

// Who is in more rooms than plain HTTP allows, when WebSockets get through no more, stays in the one that is shown.
test('more rooms than there may be without WebSockets', async (t) => {
  const server = await (await Server.start(t, '--ping-interval', '2s', '--drain-timeout', '1s')).up();
  const eve = await Person.arrive(t, await launch(t));
  eve.excused = network;
  await eve.page.addInitScript(() => {
    const Real = globalThis.WebSocket;
    globalThis.WebSocket = class extends Real {
      constructor(url, ...rest) { super(globalThis.blocked ? `${url}`.replace('/chat', '/nowhere') : url, ...rest); }
    };
  });
  await eve.join(server, 'Eve', 'one');
  for (const room of ['two', 'three', 'four', 'five']) await eve.go(room);
  await eve.connected();
  await eve.page.evaluate(() => { globalThis.blocked = true; });
  assert.equal(await server.stop(), 0);
  await eve.is('waiting');
  await server.up();
  await eve.page.locator('#notice').getByText('You can be in 3 rooms at once here.').waitFor();
  await eve.connected();
  assert.equal(await eve.page.locator('#title').textContent(), 'five');
  await eve.say('still here');
  await eve.settled();
  assert.equal(await eve.page.locator('#room-list .room-line').count(), 3);
  await eve.page.locator('#other-list .room-line').nth(1).waitFor({ state: 'attached' });
});

test('with a token one has its name', async (t) => {
  const server = await Server.start(t, '--tokens', 'FOLDER/tokens');
  const token = server.run('token', 'create', 'Dora', '--access', 'write', '--tokens', 'FOLDER/tokens').trim();
  await server.up();
  const dora = await Person.arrive(t, await launch(t), phone);
  await dora.page.addInitScript(without);
  await dora.page.goto(`${server.http}/room/den#token=${token}`);
  await dora.connected();
  await dora.say('hello');
  await dora.settled();
  const mine = dora.page.locator('#log .mine');
  assert.deepEqual([await mine.count(), await mine.locator('.name').textContent()], [1, 'Dora✓']);
  assert.equal(await dora.page.locator('#log .note').count(), 0, 'her own arrival is no news');
});

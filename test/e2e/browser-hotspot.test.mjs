// A hotspot that opens the chat: from what each kind of phone asks to the page, and then to "all is well" for that phone alone.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, later, until } from './harness.mjs';
import { Hotspot, board, missing } from './hotspot.mjs';
import { phone } from './person.mjs';

const apple = 'http://captive.apple.com/hotspot-detect.html';
const kinds = [
  ['iOS', apple, /^200 +<HTML><HEAD><TITLE>Success<\/TITLE><\/HEAD><BODY>Success<\/BODY><\/HTML>\s*$/],
  ['Android', 'http://connectivitycheck.gstatic.com/generate_204', /^204 +$/],
  ['Windows', 'http://www.msftconnecttest.com/connecttest.txt', /^200 +Microsoft Connect Test$/, 'http://www.msftconnecttest.com/redirect'],
  ['Windows 8', 'http://www.msftncsi.com/ncsi.txt', /^200 +Microsoft NCSI$/],
  ['Firefox', 'http://detectportal.firefox.com/success.txt', /^200 +success\n$/, 'http://detectportal.firefox.com/canonical.html'],
  ['GNOME', 'http://nmcheck.gnome.org/check_network_status.txt', /^200 +NetworkManager is online\n$/],
];

test('a hotspot that opens the chat', { skip: missing() }, async (t) => {
  const server = await Server.start(t);
  const hotspot = await Hotspot.start(t, server);
  await hotspot.serve(t, ':80', '--captive', '--captive-delay', '1h');
  const browser = await launch(t, { program: hotspot.browser() });
  const asked = new RegExp(`^302 http://${board}/ .*href="http://${board}/"`);

  for (const [n, [kind, probe, well, opens = probe]] of kinds.entries()) {
    await t.test(kind, async (t) => {
      hotspot.is(20 + n);
      assert.match(hotspot.probe(probe), asked);
      const context = await browser.newContext(phone);
      later(t, () => context.close());
      const page = await context.newPage();
      const sockets = [];
      page.on('websocket', (socket) => sockets.push(socket.url()));
      if (kind === 'iOS') await page.addInitScript(() => { delete globalThis.WebSocket; }); // as its mini-browser is
      // The browser may hear of its new address only by now, and gives up what it asked for before.
      await until('the page', () => page.goto(opens).catch((error) => assert.match(error.message, /ERR_NETWORK_CHANGED/)));
      assert.equal(page.url(), `http://${board}/`);
      await page.locator('#name').fill(kind);
      assert.match(hotspot.probe(probe), asked); // it is not in the chat yet
      await page.getByRole('button', { name: 'Join', exact: true }).click();
      await page.locator('html[data-connection=open]').waitFor({ state: 'attached' });
      await until('all is well', () => well.test(hotspot.probe(probe)));
      await page.locator('#text').fill(`hello from ${kind}`);
      await page.keyboard.press('Enter');
      await until('message', () => hotspot.probe(`http://${board}/chat/room/general/messages`).includes(`hello from ${kind}`));
      hotspot.atPhone('curl', '-sS', '-d', `hello, ${kind}`, `http://${board}/room/general?username=hut`);
      await page.locator('#log').getByText(`hello, ${kind}`, { exact: true }).waitFor();
      assert.equal(sockets.length, kind === 'iOS' ? 0 : 1);
      if (kind === 'iOS') assert.match(hotspot.probe('http://example.com/'), /^421 .*misdirected/); // each name leads here, and only those of probes count
    });
  }

  await t.test('another phone is asked all the same, and the first stays', () => {
    hotspot.is(99);
    assert.match(hotspot.probe(apple), asked);
    hotspot.is(20);
    assert.match(hotspot.probe(apple), kinds[0][2]);
  });

  await t.test('port 80 by a rule of nft', async (t) => {
    for (const [, line] of hotspot.lines.matchAll(/^# sudo (nft .*)$/gm)) hotspot.atBoard('sh', '-c', line);
    await hotspot.serve(t, ':3000', '--captive');
    hotspot.is(98);
    assert.match(hotspot.probe(apple), new RegExp(`^302 http://${board}:3000/ `));
    assert.match(hotspot.probe(`http://${board}:3000/`), /^200 /);
  });
});

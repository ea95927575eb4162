// The web page in a real browser.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, fourLines, until } from './harness.mjs';
import { Person, network, phone } from './person.mjs';

test('the page', async (t) => {
  const server = await (await Server.start(t)).up();
  const browser = await launch(t);

  await t.test('the four lines, in a blank page of the same origin', async (t) => {
    const alice = await Person.arrive(t, browser);
    const bob = await server.connect('blank', { username: 'Bob' });
    await alice.page.goto(`${server.http}/healthz`);
    const [connect, receive, say, type] = fourLines(`127.0.0.1:${server.port}`, 'blank');
    const shown = await alice.page.evaluate(`(async () => {
      const shown = [];
      const show = (frame) => shown.push(frame);
      ${connect}
      ${receive}
      await new Promise((open) => { ws.onopen = open; });
      ${say}
      ${type}
      while (shown.length < 3) await new Promise((later) => { setTimeout(later, 20); });
      return shown;
    })()`);
    assert.deepEqual(shown.map((frame) => frame.type), ['joined', 'message', 'typing']);
    assert.deepEqual(shown[1], { ...await bob.next('message', 'Hello everyone!') });
    await bob.close();
  });

  await t.test('who types, a reload, and who leaves', async (t) => {
    const alice = await Person.arrive(t, browser);
    const bob = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'general');
    assert.equal(new URL(alice.page.url()).pathname, '/room/general');
    await bob.join(server, 'Bob', 'general');
    await alice.sees('Bob joined');
    await alice.say('Good morning!');
    await bob.sees('Good morning!');
    await bob.page.locator('#text').pressSequentially('hm, let me see', { delay: 150 });
    await alice.page.getByText('Bob is typing…').waitFor();

    // A reload comes back by itself, with the history.
    await alice.page.reload();
    await alice.connected();
    await alice.sees('Good morning!');
    assert.deepEqual(await alice.said(), ['Good morning!']);

    await bob.menu('Leave this room');
    await bob.page.locator('#name').waitFor();
    assert.equal(await bob.page.locator('#name').inputValue(), 'Bob', 'the name is remembered');
    await alice.sees('Bob left');
    await alice.here(1);
  });

  await t.test('a name that is refused is said at the door', async (t) => {
    const eve = await Person.arrive(t, browser, phone);
    await eve.page.goto(server.http);
    eve.excused = network; // 400
    await eve.enter('Eve\u202e', 'door');
    await eve.page.getByRole('alert').filter({ hasText: 'the username may not hold' }).waitFor();
    assert.ok(await eve.page.locator('#name').isVisible());
  });

  await t.test('what is too long is not sent', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.join(server, 'Alice', 'long');
    await alice.say('x'.repeat(5000));
    await alice.page.getByRole('alert').filter({ hasText: '5000 bytes' }).waitFor();
    await alice.say('short');
    await alice.sees('short');
    assert.deepEqual(await alice.said(), ['short']);
  });

  await t.test('tokens', async (t) => {
    const guarded = await Server.start(t, '--tokens', 'FOLDER/tokens');
    const token = guarded.run('token', 'create', 'Tara', '--rooms', 'den', '--tokens', 'FOLDER/tokens').trim();
    await guarded.up();
    const tara = await Person.arrive(t, browser);
    const sockets = [];
    tara.page.on('websocket', (ws) => sockets.push(ws.url()));
    await tara.page.goto(`${guarded.http}/room/den?token=${token}`);
    await tara.connected();
    assert.notEqual(sockets.length, 0);
    assert.deepEqual(sockets.filter((url) => url.includes(token)), [], 'no address holds the token, which proxies log');
    await tara.page.locator('#people-list').getByText('Tara').waitFor();
    assert.equal(tara.page.url(), `${guarded.http}/room/den`, 'the address no longer holds the token');
    await tara.page.reload();
    await tara.connected();

    const sensor = guarded.run('token', 'create', 'sensor', '--access', 'read', '--tokens', 'FOLDER/tokens').trim();
    await guarded.stop();
    await guarded.up();
    const reader = await Person.arrive(t, browser);
    await reader.page.goto(`${guarded.http}/room/den#token=${sensor}`);
    await reader.connected();
    assert.equal(reader.page.url(), `${guarded.http}/room/den`, 'nor does one whose fragment held it');
    // Who may read alone has no input, from the beginning, nor a way to try.
    await reader.page.getByText('You may read here, not write.').waitFor();
    assert.deepEqual([await reader.page.locator('#compose').isVisible(), await reader.page.locator('#write').isVisible()], [false, false]);

    const guest = await Person.arrive(t, browser);
    await guest.page.goto(guarded.http);
    guest.excused = network; // 401
    await guest.enter('Guest', 'den');
    await guest.page.getByRole('alert').filter({ hasText: 'token' }).waitFor();
    await guest.page.locator('#token').fill(token);
    await guest.back();
    await guest.connected();
    await guest.page.locator('#people-list').getByText('Tara').waitFor();
  });
});

test('moderation, on the page', async (t) => {
  const socket = ['--admin', 'FOLDER/admin.sock'];
  const server = await (await Server.start(t, ...socket)).up();
  const admin = (...args) => server.run('admin', ...args, ...socket);
  const browser = await launch(t);

  // door waits until the page is out of the room and says why, and looks that it stays there.
  const door = async (person, text) => {
    await person.page.locator('#refusal').getByText(text).waitFor();
    const sockets = [];
    person.page.on('websocket', (ws) => sockets.push(ws.url()));
    await person.page.waitForTimeout(2_500); // the longest first wait before a page comes back is a second
    assert.deepEqual(sockets, [], 'it does not come back');
    assert.equal(await person.page.locator('#chat').isHidden(), true);
  };

  await t.test('one edits and deletes, the page of another shows it', async (t) => {
    const alice = await Person.arrive(t, browser);
    const bob = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'marks');
    await bob.join(server, 'Bob', 'marks');
    const author = { 'Author-Key': 'e2e', 'Content-Type': 'text/plain' };
    const at = `${server.http}/chat/room/marks/messages`;
    const said = async (text) => (await fetch(`${at}?username=Carol`, { method: 'POST', headers: author, body: text })).json();
    const first = await said('the pump is of');
    const second = await said('a secret');
    for (const person of [alice, bob]) await person.sees('a secret');
    assert.equal((await fetch(`${at}/${first.id}?username=Carol`, { method: 'PATCH', headers: author, body: 'the pump is off' })).status, 200);
    assert.equal((await fetch(`${at}/${second.id}?username=Carol`, { method: 'DELETE', headers: author })).status, 200);
    for (const person of [alice, bob]) {
      await person.page.locator('#log [data-now=edited] .text').getByText('the pump is off', { exact: true }).waitFor();
      await person.page.locator('#log [data-now=deleted] .text').getByText('deleted', { exact: true }).waitFor();
      assert.deepEqual(await person.said(), ['the pump is off', 'deleted']);
    }
    await bob.page.reload(); // the history has it so, too
    await bob.connected();
    await bob.page.locator('#log [data-now=deleted]').waitFor();
    assert.deepEqual(await bob.said(), ['the pump is off', 'deleted']);
    assert.equal((await bob.page.content()).includes('a secret'), false);
  });

  await t.test('a page that is put out says why, and stays out', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.join(server, 'Alice', 'den');
    alice.excused = network; // 403
    admin('kick', '--name', 'Alice', '--room', 'den', '--reason', 'too loud');
    await door(alice, 'A moderator has removed you from this room: too loud.');
    await alice.page.getByRole('button', { name: 'Join', exact: true }).click(); // she may come back
    await alice.connected();

    admin('ban', '--name', 'Alice', '--for', '1h', '--reason', 'still too loud');
    await door(alice, 'You are banned from this server for another 1h: still too loud.');
    await alice.page.getByRole('button', { name: 'Join', exact: true }).click();
    await alice.page.locator('#refusal').getByText(/^You are banned from this server for another (1h|59m.*): still too loud\.$/).waitFor();
    admin('unban', '--name', 'Alice');
    await alice.page.getByRole('button', { name: 'Join', exact: true }).click();
    await alice.connected();
    admin('close', 'den', '--for', '1h');
    await door(alice, 'A moderator has closed this room for another 1h.');
  });

  await t.test('who may not write is told so at the message', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.join(server, 'Alice', 'wall');
    const failed = async (text, why) => {
      await alice.say(text);
      await alice.page.locator('#log .failed', { hasText: text }).getByText(why).waitFor();
    };
    admin('mute', '--name', 'Alice', '--for', '1h');
    await failed('muted words', /^not sent: you may read here and not write for another/);
    admin('unmute', '--name', 'Alice');
    admin('read-only', 'wall');
    await failed('words on the wall', 'not sent: this room is read-only: moderators alone write here');
    await alice.page.locator('#compose').waitFor({ state: 'hidden' }); // a room that may not be written in has no input
    await alice.page.reload();
    await alice.page.getByText('You may read here, not write.').waitFor(); // from the beginning
    assert.equal(await alice.page.locator('#compose').isVisible(), false);
    admin('read-only', 'wall', '--off');
    await alice.page.locator('#write').click();
    admin('slow', 'wall', '--every', '2s');
    await alice.say('one');
    await alice.say('two'); // is sent again when it may be
    await alice.settled();
    assert.deepEqual((await alice.said()).filter((text) => text === 'one' || text === 'two'), ['one', 'two']);
  });
});

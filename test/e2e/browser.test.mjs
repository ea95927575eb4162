// The web page in a real browser.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, fourLines, until } from './harness.mjs';
import { Person, launch, phone } from './person.mjs';

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
    assert.deepEqual(alice.complaints, []);
    await bob.close();
  });

  await t.test('two people talk', async (t) => {
    const alice = await Person.arrive(t, browser);
    const bob = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'general');
    assert.equal(new URL(alice.page.url()).pathname, '/room/general');
    await bob.join(server, 'Bob', 'general');
    await alice.sees('Bob joined');
    await alice.here(2);
    assert.deepEqual(await alice.people(), ['Alice', 'Bob']);

    const lines = [
      [alice, 'Good morning! Is the pump in the greenhouse running?'],
      [bob, 'Yes, since six. The pressure is fine.'],
      [bob, '<img src=x onerror=alert(1)> & <b>bold</b> stays text'],
      [alice, 'Grüße, مرحبا\nin two lines'],
    ];
    for (const [who, text] of lines) {
      await who.say(text);
      await alice.sees(text);
      await bob.sees(text);
    }
    assert.deepEqual(await alice.said(), lines.map(([, text]) => text));
    assert.deepEqual(await bob.said(), lines.map(([, text]) => text));
    await alice.settled();
    assert.equal(await alice.page.locator('#log .mine').count(), 2);

    await bob.page.locator('#text').pressSequentially('hm, let me see', { delay: 150 });
    await alice.page.getByText('Bob is typing…').waitFor();
    await alice.shot('desktop-light');
    await alice.page.emulateMedia({ colorScheme: 'dark' });
    await alice.shot('desktop-dark');
    await bob.shot('phone-dark');
    await bob.page.emulateMedia({ colorScheme: 'light' });
    await bob.shot('phone-light');
    const overflow = await bob.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px wider than a phone`);

    // A reload comes back by itself, with the history.
    await alice.page.reload();
    await alice.connected();
    await alice.sees(lines[0][1]);
    assert.deepEqual(await alice.said(), lines.map(([, text]) => text));

    await bob.menu('Leave this room');
    await bob.page.locator('#name').waitFor();
    await bob.shot('door-phone');
    assert.equal(await bob.page.locator('#name').inputValue(), 'Bob', 'the name is remembered');
    await alice.sees('Bob left');
    await alice.here(1);
    assert.deepEqual([...alice.complaints, ...bob.complaints], []);
  });

  await t.test('a name that is refused is said at the door', async (t) => {
    const eve = await Person.arrive(t, browser, phone);
    await eve.page.goto(server.http);
    await eve.enter('Eve\u202e', 'door');
    await eve.page.getByRole('alert').filter({ hasText: 'the username may not hold' }).waitFor();
    assert.ok(await eve.page.locator('#name').isVisible());
  });

  await t.test('what others wrote stays text, wherever the page shows it', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.join(server, '<b>Ann</b>', 'markup');
    const eve = await server.connect('markup', { username: '<i>Eve</i>' });
    await alice.sees('<i>Eve</i> joined');
    const bomb = '<img src=x onerror="document.title=1"> <svg onload=alert(1)> &amp; <b>bold</b>';
    eve.say(bomb);
    await alice.sees(bomb);
    await alice.say('<u>mine</u>');
    await alice.sees('<u>mine</u>');
    await alice.settled();
    eve.send({ type: 'typing' });
    await alice.page.getByText('<i>Eve</i> is typing…').waitFor();
    assert.deepEqual(await alice.page.locator('#log .message').evaluateAll((items) => items.map((item) => item.querySelector('.head bdi').textContent)), ['<i>Eve</i>', '<b>Ann</b>']);
    assert.deepEqual(await alice.said(), [bomb, '<u>mine</u>']);
    await until('both names among the members', async () => {
      const names = await alice.people();
      return names.includes('<i>Eve</i>') && names.includes('<b>Ann</b>');
    });
    assert.equal(await alice.page.locator('#chat :is(b, i, u, img, svg:not(.icon))').count(), 0, 'nothing of it became an element');
    assert.deepEqual(alice.complaints, []);
    await eve.close();
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

  await t.test('kill -9 and a restart', async (t) => {
    const alice = await Person.arrive(t, browser);
    const bob = await Person.arrive(t, browser);
    await alice.join(server, 'Alice', 'crash');
    await bob.join(server, 'Bob', 'crash');
    await alice.say('before');
    await bob.sees('before');
    await alice.settled();

    await server.stop('SIGKILL');
    await alice.is('waiting');
    await alice.say('said while it was down');
    await alice.say('and one more');
    assert.equal(await alice.page.locator('#log .pending').count(), 2);
    await server.up();
    for (const person of [alice, bob]) {
      await person.page.evaluate(() => window.dispatchEvent(new Event('online')));
      await person.connected();
      await person.sees('and one more');
    }
    await alice.settled();
    for (const person of [alice, bob]) {
      assert.deepEqual(await person.said(), ['before', 'said while it was down', 'and one more']);
      assert.equal(await person.page.locator('#log .gap').count(), 0);
    }

    // A page that is reloaded while its words are under way still has them.
    await server.stop('SIGKILL');
    await alice.is('waiting');
    await alice.say('kept over a reload');
    await server.up();
    await alice.page.reload();
    await bob.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await bob.sees('kept over a reload');
    await alice.settled();
    assert.deepEqual(await alice.said(), ['before', 'said while it was down', 'and one more', 'kept over a reload']);
    // What was delivered and lost before it was on disk comes back under another id. Its
    // author sees it once.
    for (const n of [1, 2, 3]) await alice.say(`just before the end ${n}`);
    await alice.sees('just before the end 3');
    await server.stop('SIGKILL');
    await server.up();
    await alice.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await alice.connected();
    await alice.settled();
    const said = await alice.said();
    assert.deepEqual(said.slice(4), [1, 2, 3].map((n) => `just before the end ${n}`));
    const { messages } = await (await fetch(`${server.http}/chat/room/crash/messages`)).json();
    assert.deepEqual(messages.map((m) => m.content), said);

    // A browser reports a connection that was refused by itself; a script has no say in it.
    const own = alice.complaints.filter((text) => !/WebSocket connection to|ERR_CONNECTION_REFUSED|Failed to load resource/.test(text));
    assert.deepEqual(own, []);
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
    // The page asks whether she moderates, and a browser reports the answer.
    assert.deepEqual(tara.complaints.filter((text) => !/403 .*\/chat\/room\/den\/moderation$/.test(text)), []);

    const sensor = guarded.run('token', 'create', 'sensor', '--access', 'read', '--tokens', 'FOLDER/tokens').trim();
    await guarded.stop();
    await guarded.up();
    const reader = await Person.arrive(t, browser);
    await reader.page.goto(`${guarded.http}/room/den#token=${sensor}`);
    await reader.connected();
    assert.equal(reader.page.url(), `${guarded.http}/room/den`, 'nor does one whose fragment held it');
    await reader.say('may I?');
    await reader.page.locator('#log .failed').getByText(/^not sent: .*write/).waitFor();
    assert.equal(await reader.page.locator('#log .pending').count(), 0);

    const guest = await Person.arrive(t, browser);
    await guest.page.goto(guarded.http);
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
    assert.deepEqual([...alice.complaints, ...bob.complaints], []);
  });

  await t.test('a page that is put out says why, and stays out', async (t) => {
    const alice = await Person.arrive(t, browser);
    await alice.join(server, 'Alice', 'den');
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
    admin('read-only', 'wall', '--off');
    await alice.page.locator('#write').click();
    admin('slow', 'wall', '--every', '2s');
    await alice.say('one');
    await alice.say('two'); // is sent again when it may be
    await alice.settled();
    assert.deepEqual((await alice.said()).filter((text) => text === 'one' || text === 'two'), ['one', 'two']);
  });
});

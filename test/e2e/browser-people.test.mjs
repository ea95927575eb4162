// Who is in a room, and who came and went, as the page of a member has it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, until } from './harness.mjs';
import { Person, phone } from './person.mjs';

test('people', async (t) => {
  const server = await (await Server.start(t)).up();
  const browser = await launch(t);

  await t.test('who has two connections is counted once', async (t) => {
    const tabs = [await server.connect('twice', { username: 'Alice' }), await server.connect('twice', { username: 'Alice' })];
    const bob = await Person.arrive(t, browser);
    // Every number that the page ever shows, not the last alone.
    await bob.page.addInitScript(() => {
      window.counts = [];
      document.addEventListener('DOMContentLoaded', () => {
        const state = document.getElementById('state');
        new MutationObserver(() => { if (/here/.test(state.textContent)) window.counts.push(state.textContent); }).observe(state, { childList: true });
      });
    });
    await bob.join(server, 'Bob', 'twice');
    await bob.here(2);
    assert.deepEqual(await bob.people(), ['Alice', 'Bob']);
    const carol = await server.connect('twice', { username: 'Carol' });
    await bob.here(3);
    await carol.close();
    await bob.here(2);
    const counts = await bob.page.evaluate(() => window.counts);
    assert.deepEqual(counts.filter((text, n) => text !== counts[n - 1]), ['2 here', '3 here', '2 here']);
    // With one of her tabs Alice has not left.
    await tabs[0].close();
    await until('the other connection alone', async () => (await (await fetch(`${server.http}/chat/room/twice/members`)).json()).members[0].connections === 1);
    await server.connect('twice', { username: 'Dan' }).then((dan) => dan.close());
    await bob.page.waitForTimeout(300);
    assert.equal(await bob.page.locator('#log .note', { hasText: 'Alice' }).count(), 0);
    await tabs[1].close();
    await bob.sees('Alice left');
  });

  await t.test('who comes and goes is one line, and a link is what it says', async (t) => {
    const alice = await Person.arrive(t, browser, phone);
    await alice.join(server, 'Alice', 'crowd');
    await server.say('crowd', 'Bob', 'see https://example.org/a?b=1. or javascript:alert(1)');
    const crowd = [];
    for (let n = 0; n < 15; n++) crowd.push(await server.connect('crowd', { username: `Guest ${n}` }));
    await alice.here(16);
    assert.equal(await alice.page.locator('#log .note').count(), 1);
    assert.deepEqual(await alice.page.locator('#log .text a').evaluateAll((all) => all.map((a) => [a.href, a.rel])), [['https://example.org/a?b=1', 'noopener noreferrer nofollow']]);
    await Promise.all(crowd.map((guest) => guest.close()));
  });

  await t.test('what came before an answer and is told behind it counts once', async (t) => {
    const alice = await Person.arrive(t, browser);
    const held = []; // that Bob has joined
    await alice.page.routeWebSocket(/./, (page) => {
      const far = page.connectToServer();
      far.onMessage((frame) => {
        if (/"joined".*"Bob"/.test(frame)) held.push(() => page.send(frame));
        else page.send(frame);
      });
    });
    let bob;
    await alice.page.route(/\/members\b/, async (route) => { // the answer has him already
      bob ??= await server.connect('late', { username: 'Bob' });
      await until('the event is on the way', () => held.length > 0);
      await route.fulfill({ response: await route.fetch() });
    });
    await alice.join(server, 'Alice', 'late');
    await alice.here(2);
    for (const tell of held) tell();
    await bob.close();
    await alice.here(1);
  });

  await t.test('who comes between each question and its answer is counted, too', async (t) => {
    const alice = await Person.arrive(t, browser);
    let told = 0; // how many have joined, by what the page was told
    await alice.page.routeWebSocket(/./, (page) => {
      const far = page.connectToServer();
      far.onMessage((frame) => {
        page.send(frame);
        if (/"joined".*"Guest/.test(frame)) told++;
      });
    });
    let guests = 0;
    await alice.page.route(/\/members\b/, async (route) => { // the answer does not have the guest who comes behind it
      const response = await route.fetch();
      if (guests < 3) {
        await server.connect('rush', { username: `Guest ${++guests}` });
        await until('the event is told', () => told === guests);
      }
      await route.fulfill({ response });
    });
    await alice.join(server, 'Alice', 'rush');
    await alice.here(4);
  });

  await t.test('a server that does not say who is here is asked until it does', async (t) => {
    const alice = await Person.arrive(t, browser);
    alice.excused = /503/;
    let asked = 0;
    await alice.page.route(/\/members\b/, (route) => ++asked > 4 ? route.continue() : route.fulfill({ status: 503, body: '{}' }));
    await alice.join(server, 'Alice', 'silent');
    await alice.here(1);
  });

  await t.test('who comes before the page knows who is here is told of, too', async (t) => {
    const alice = await Person.arrive(t, browser);
    // The answer to "who is here" is held back, as a slow line does.
    let asked = false;
    let release;
    const held = new Promise((done) => { release = done; });
    await alice.page.route('**/members*', async (route) => {
      asked = true;
      await held;
      await route.continue();
    });
    await alice.page.goto(server.http);
    await alice.enter('Alice', 'early');
    await until('question', () => asked);
    const eve = await server.connect('early', { username: 'Eve' });
    eve.say('first words');
    await alice.sees('first words');
    assert.equal(await alice.page.locator('#log .note').count(), 0);
    release();
    await alice.sees('Eve joined');
    assert.deepEqual(await alice.page.locator('#items > li').evaluateAll((all) => all.map((li) => li.querySelector('.text')?.textContent ?? li.textContent)), ['Eve joined', 'first words']);
    await alice.here(2);
    await eve.close();
    await alice.sees('Eve left');
  });
});

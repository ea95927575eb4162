// What a family lives through, on the phone and at the desk, light and dark: four people at four pages, in every test.

import assert from 'node:assert/strict';
import test from 'node:test';
import { asleep, launch, whole } from './chromium.mjs';
import { Server, until } from './harness.mjs';
import { Person, looks } from './person.mjs';
import { Relay } from './relay.mjs';

const names = ['Ada', 'Ben', 'Cleo', 'Dan'];

// below is how many pixels of what was said are hidden below the list's edge.
const below = (person) => person.page.evaluate(() => {
  const log = document.getElementById('log');
  return log.scrollHeight - log.scrollTop - log.clientHeight;
});

test('in every look', async (t) => {
  const server = await (await Server.start(t, '--history', '5000', '--rate', '0', '--byte-rate', '0', '--frame-rate', '0', '--join-rate', '0', '--ping-interval', '3s')).up();
  const relay = await Relay.to(t, server.port);
  const browser = await launch(t, { program: whole });
  const family = [];
  for (const look of looks) family.push(await Person.arrive(t, browser, look));
  const each = (what) => Promise.all(family.map(what));
  // all has everybody go to a room, and says once they see each other.
  const all = async (room) => {
    await each(async (person) => {
      await person.go(room);
      await person.here(family.length);
    });
  };
  const killed = async () => {
    await server.stop('SIGKILL');
    await each((person) => person.is('waiting'));
  };
  const back = async () => {
    await each(async (person) => {
      await person.wake();
      await person.connected();
      await person.settled();
    });
  };

  await t.test('they talk', async () => {
    await each(async (person, n) => {
      await person.join(server, names[n], 'family');
      await person.here(family.length);
      assert.deepEqual(await person.people(), names);
    });
    const lines = [];
    for (const [n, person] of family.entries()) {
      lines.push(`Good morning from ${names[n]}\nin two lines, Grüße, مرحبا`);
      await person.say(lines[n]);
      await each((other) => other.sees(lines[n]));
    }
    await each(async (person, n) => {
      await person.settled();
      assert.deepEqual(await person.said(), lines);
      assert.deepEqual(await person.page.locator('#log .mine .text').allTextContents(), [lines[n]]);
      assert.ok(await person.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'wider than its window');
    });
  });

  await t.test('kill -9 and back: nothing is missing or doubled', async () => {
    await all('crash');
    await each((person, n) => person.say(`before, by ${names[n]}`));
    await each(async (person) => {
      await person.settled();
      await until('all before', async () => (await person.said()).length === 4);
    });
    const before = await family[0].said();
    await killed();
    await each(async (person, n) => {
      for (const word of ['first', 'second']) await person.say(`${word} while it was down, by ${names[n]}`);
      assert.equal(await person.page.locator('#log .pending').count(), 2);
    });
    await server.up();
    await family[1].page.reload(); // what waits is there after it
    await back();
    // What was told and lost before it was on disk comes back under another id; its author sees it once.
    await each((person, n) => person.say(`just before the end, by ${names[n]}`));
    await killed();
    await server.up();
    await back();
    await until('all that was said', async () => (await server.stored('crash')).length === 16);
    const contents = (await server.stored('crash')).map((m) => m.content);
    assert.deepEqual(contents.slice(0, 4), before);
    assert.equal(new Set(contents).size, 16);
    await each(async (person, n) => {
      await until('the same as the server has', async () => JSON.stringify(await person.said()) === JSON.stringify(contents));
      assert.equal(await person.page.locator('#log .gap').count(), 0);
      const mine = await person.page.locator('#log .mine .text').allTextContents();
      assert.deepEqual(mine, contents.filter((text) => text.endsWith(names[n])));
    });
  });

  await t.test('a change of room leaves what waits and what is half written where it is', async () => {
    await all('attic');
    await all('den');
    await killed();
    await each(async (person, n) => {
      await person.say(`waits in the den, by ${names[n]}`);
      await person.page.locator('#text').fill('half a sentence in the den');
      await person.go('attic');
      assert.equal(await person.page.locator('#text').inputValue(), '');
      await person.say(`waits in the attic, by ${names[n]}`);
      await person.page.locator('#text').fill('half a sentence in the attic');
    });
    await server.up();
    await each(async (person) => {
      await person.page.reload();
      await person.connected();
      assert.equal(await person.page.locator('#text').inputValue(), 'half a sentence in the attic');
      await person.go('den');
      assert.equal(await person.page.locator('#text').inputValue(), 'half a sentence in the den');
      await person.page.locator('#text').fill('');
    });
    for (const room of ['den', 'attic']) {
      await until('all of it', async () => (await server.stored(room)).length === 4);
      assert.deepEqual((await server.stored(room)).map((m) => m.content).sort(), names.map((name) => `waits in the ${room}, by ${name}`));
    }
  });

  await t.test('a keyboard and a long draft hide nothing new', async () => {
    await all('keys');
    const bob = await server.connect('keys', { username: 'Bob' });
    for (let n = 0; n < 25; n++) bob.say(`line ${n}`);
    await each(async (person) => {
      await person.sees('line 24');
      const { width, height } = person.page.viewportSize();
      await person.page.setViewportSize({ width, height: 440 });
      await until('the end after the keyboard', async () => await below(person) < 2);
      await person.page.locator('#text').fill('one\ntwo\nthree\nfour\nfive');
      await until('the end above the draft', async () => await below(person) < 2);
      person.height = height;
    });
    bob.say('while it is up');
    await each(async (person) => {
      await person.sees('while it is up');
      await until('it is followed', async () => await below(person) < 2);
      await person.page.locator('#log').evaluate((log) => new Promise((scrolled) => {
        log.addEventListener('scroll', () => setTimeout(scrolled), { once: true });
        log.scrollTop = 0;
      }));
    });
    bob.say('out of sight');
    await each(async (person) => {
      await person.page.locator('#newer').waitFor();
      const [button, field] = [await person.page.locator('#newer').boundingBox(), await person.page.locator('#text').boundingBox()];
      assert.ok(button.y + button.height <= field.y, 'the button lies over the draft');
      await person.page.locator('#newer').click();
      await until('the end', async () => await below(person) < 2);
      await person.page.locator('#text').fill('');
      await person.page.setViewportSize({ width: person.page.viewportSize().width, height: person.height });
    });
    await bob.close();
  });

  await t.test('5,000 messages are scrolled without a jump', async () => {
    const bob = await server.connect('long', { username: 'Bob' }, 'edgechat.v1.json');
    for (let n = 0; n < 5000; n++) bob.say(`message ${n}`, `k${n}`);
    await bob.next('ack', 'k4999');
    await bob.close();
    const wanted = Array.from({ length: 5000 }, (_, n) => `message ${n}`);
    for (const person of [family[0], family[2]]) { // a phone and a desk, whose colors have no say in it; one after another
      await person.go('long');
      await person.sees('message 4999');
      // What stands in the middle of the screen stands there after older ones have come in above.
      const moved = await person.page.evaluate(async () => {
        const [log, items, beginning] = ['log', 'items', 'beginning'].map((id) => document.getElementById(id));
        let most = 0;
        for (const end = Date.now() + 60_000; beginning.hidden && Date.now() < end;) {
          log.scrollTop -= 700;
          const at = log.getBoundingClientRect();
          const middle = document.elementFromPoint(at.left + at.width / 2, at.top + at.height / 2).closest('#items > li') ?? items.firstElementChild;
          const bottom = middle.getBoundingClientRect().bottom; // its head goes where one of the same author comes above it
          const had = items.childElementCount;
          for (const until = Date.now() + 2_000; log.scrollTop < 800 && items.childElementCount === had && beginning.hidden && Date.now() < until;) {
            await new Promise((done) => { setTimeout(done, 5); });
          }
          most = Math.max(most, Math.abs(middle.getBoundingClientRect().bottom - bottom));
        }
        return most;
      });
      assert.ok(moved < 2, `a jump of ${moved} px`);
      await person.page.locator('#beginning').waitFor();
      assert.deepEqual(await person.said(), wanted);
      await person.go('family'); // which lets go of them
    }
  });

  await t.test('twenty members', async () => {
    await all('crew');
    const crew = [];
    for (let n = 0; n < 16; n++) crew.push(await server.connect('crew', { username: `Guest ${n}` }, 'edgechat.v1.json'));
    await each(async (person) => {
      await person.here(20);
      assert.deepEqual(await person.people(), [...names, ...crew.map((_, n) => `Guest ${n}`)]);
      assert.equal(await person.page.locator('#log .note').count(), 1);
    });
    for (const [n, guest] of crew.entries()) guest.say(`from guest ${n}`);
    await each((person, n) => person.say(`from ${names[n]}`));
    await until('all twenty', async () => (await server.stored('crew')).length === 20);
    const contents = (await server.stored('crew')).map((m) => m.content);
    await each((person) => until('the same for all', async () => JSON.stringify(await person.said()) === JSON.stringify(contents)));
    await Promise.all(crew.map((guest) => guest.close()));
    await each((person) => person.here(4));
  });

  await t.test('what others write stays text', async () => {
    await all('markup');
    const name = '<img src=x onerror=alert(1)>';
    const bombs = ['<script>alert(2)</script><b>bold</b>', 'javascript:alert(3)', 'https://example.org/"onmouseover=alert(4)//', 'http://a.example/<svg/onload=alert(5)>', '> <img src=x onerror=alert(6)>\nquoted', 'mailto:a@b.example?subject=<b>'];
    const eve = await server.connect('markup', { username: name });
    for (const bomb of bombs) eve.say(bomb);
    eve.send({ type: 'typing' });
    await each(async (person) => {
      await person.page.locator('#people-list .name').getByText(name, { exact: true }).waitFor({ state: 'attached' });
      await until('all of it', async () => (await person.said()).length === bombs.length);
      await person.go('family');
      await person.page.locator('#room-list .room-last').getByText('mailto:').first().waitFor({ state: 'attached' });
      // A room of such a name is refused, and said as text.
      if (await person.page.locator('#rooms-button').isVisible()) await person.page.locator('#rooms-button').click();
      await person.page.locator('#room-name').fill('<svg onload=alert(7)>');
      await person.page.locator('#room-form button').click();
      await person.page.locator('#notice').getByText('<svg onload=alert(7)>').waitFor();
      await person.go('markup');
      const found = await person.page.evaluate(() => ({
        made: document.querySelectorAll('#chat :is(script, img, b, iframe, svg:not(.icon))').length,
        handlers: [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length,
        links: [...document.querySelectorAll('#log a')].map((a) => a.getAttribute('href')),
      }));
      assert.deepEqual(found, { made: 0, handlers: 0, links: ['https://example.org/', 'http://a.example/', 'mailto:a@b.example?subject='] });
    });
    await eve.close();
  });

  await t.test('a tab that slept has all of it when it wakes', async () => {
    await all('sleep');
    const bob = await server.connect('sleep', { username: 'Bob' }, 'edgechat.v1.json');
    // slept is how long nothing ran in a page, in ms.
    await each((person) => person.page.evaluate(() => {
      let last = Date.now();
      window.slept = 0;
      setInterval(() => {
        window.slept = Math.max(window.slept, Date.now() - last);
        last = Date.now();
      }, 10);
    }));
    const wake = await asleep(t, browser);
    const night = Date.now();
    for (let n = 0; n < 30; n++) bob.say(`said in the night ${n}`, `k${n}`);
    await bob.next('ack', 'k29');
    await server.stop('SIGKILL'); // in the night, too
    await server.up();
    await server.say('sleep', 'Bob', 'good morning');
    const ms = Date.now() - night;
    wake();
    const contents = (await server.stored('sleep')).map((m) => m.content);
    assert.equal(contents.length, 31);
    await each(async (person) => {
      await person.sees('good morning');
      assert.deepEqual(await person.said(), contents);
      const slept = await person.page.evaluate(() => window.slept);
      assert.ok(slept >= ms - 100, `slept for ${slept} ms of a night of ${ms} ms`);
    });
  });

  await t.test('a dead line is noticed', async () => {
    await each((person) => person.join(relay, names[family.indexOf(person)], 'line'));
    // dead returns after how many ms the page says that its line is, from event on, if there is one, and whether it was seen then.
    const dead = (person, event) => person.page.evaluate((event) => new Promise((done) => {
      const from = performance.now();
      const root = document.documentElement;
      const seen = document.visibilityState;
      const observer = new MutationObserver(() => {
        if (root.dataset.connection === 'open') return;
        observer.disconnect();
        done({ ms: performance.now() - from, seen });
      });
      observer.observe(root, { attributeFilter: ['data-connection'] });
      if (event) document.dispatchEvent(new Event(event));
    }), event);
    for (const [event, most] of [['', 3_000 + 5_000], ['visibilitychange', 3_000]]) {
      relay.hold();
      const noticed = await each((person) => dead(person, event));
      // 2 s for a machine that is busy
      assert.ok(noticed.every(({ ms }) => ms < most + 2_000), `noticed after ${JSON.stringify(noticed)}, ${event || 'by itself'}`);
      relay.resume();
      await each((person) => until('it is back', async () => {
        await person.wake();
        return await person.page.locator('html[data-connection=open]').count() === 1;
      }));
    }
  });
});

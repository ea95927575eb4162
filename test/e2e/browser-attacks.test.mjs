// What a web page from elsewhere can do with the visitor's browser: rebinding, CSRF, foreign WebSockets, frames, windows. Each attack is
// also made on a server that allows it by its flags, and works there.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, until } from './harness.mjs';
import { Attacker, refusals, refusedSince, run, said, victim, visit } from './attacker.mjs';

const secret = 'the key is below the mat';

test('pages from elsewhere', async (t) => {
  const browser = await victim(t);
  const attacker = await Attacker.start(t);
  const strict = await (await Server.start(t)).up();
  const open = await (await Server.start(t, '--allowed-hosts', '*', '--allowed-origins', '*', '--frame-ancestors', '*')).up();
  for (const server of [strict, open]) {
    const answer = await fetch(`${server.http}/chat/room/den/messages`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: secret });
    assert.equal(answer.status, 201);
  }

  // socket returns what a page gets of a WebSocket: its first message, or how it ends.
  function socket(address) {
    return new Promise((done) => {
      const ws = new WebSocket(address);
      ws.onmessage = ({ data }) => { if (data.includes('"type":"message"')) { done(data); ws.close(); } };
      ws.onclose = (event) => done(`closed with ${event.code}`);
    });
  }

  await t.test('a name that is made to point here (DNS rebinding)', async (t) => {
    const rebind = async (server) => {
      const { page, answer } = await visit(t, browser, `http://evil.example:${server.port}/room/den`);
      const tried = await run(page, [socket], async () => {
        const read = await fetch('/chat/room/den/messages');
        const post = await fetch('/chat/room/den/messages', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'rebound' });
        const health = await fetch('/healthz');
        const asset = await fetch('/assets/page.js');
        return {
          read: [read.status, await read.text()], post: post.status, health: health.status, asset: asset.status,
          socket: await socket(`ws://${location.host}/chat/room/den?since=all`),
        };
      });
      return { ...tried, page: [answer.status(), await page.locator('#door').count()] };
    };
    const refused = await rebind(strict);
    assert.deepEqual({ ...refused, read: refused.read[0] }, { page: [421, 0], read: 421, post: 421, health: 421, asset: 421, socket: 'closed with 1006' });
    assert.match(refused.read[1], /"code":"misdirected"/);
    assert.ok(!refused.read[1].includes(secret));
    assert.deepEqual(await said(strict, 'den'), [secret]);

    const let_in = await rebind(open);
    assert.deepEqual({ ...let_in, read: let_in.read[0], socket: let_in.socket.includes(secret) }, { page: [200, 1], read: 200, post: 201, health: 200, asset: 200, socket: true });
    assert.ok(let_in.read[1].includes(secret));
    assert.deepEqual(await said(open, 'den'), [secret, 'rebound']);
  });

  // Each returns once the request has left; `to` is where it goes, `text` what is to be published.
  const forgeries = {
    'a form, urlencoded': (to) => form(to, 'application/x-www-form-urlencoded'),
    'a form, text/plain': (to) => form(to, 'text/plain'),
    'a form, multipart': (to) => form(to, 'multipart/form-data'),
    'a beacon of text': (to) => navigator.sendBeacon(to, 'forged'),
    'a beacon of a form': (to) => navigator.sendBeacon(to, new URLSearchParams('content=forged')),
    'a beacon of a blob': (to) => navigator.sendBeacon(to, new Blob(['forged'], { type: 'text/plain' })),
    'fetch, no-cors': (to) => fetch(to, { method: 'POST', mode: 'no-cors', body: 'forged' }),
    'fetch, no-cors, JSON as text': (to) => fetch(to, { method: 'POST', mode: 'no-cors', body: '{"content":"forged"}' }),
    'fetch, no-cors, credentials': (to) => fetch(to, { method: 'POST', mode: 'no-cors', credentials: 'include', body: 'forged' }),
    'fetch, cors, simple': (to) => fetch(to, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'forged' }).catch(() => {}),
    'fetch, keepalive': (to) => fetch(to, { method: 'POST', mode: 'no-cors', keepalive: true, body: 'forged' }),
    'XMLHttpRequest': (to) => { const xhr = new XMLHttpRequest(); xhr.open('POST', to); xhr.setRequestHeader('Content-Type', 'text/plain'); xhr.send('forged'); },
    'fetch, cors, preflight': (to) => fetch(to, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"content":"forged"}' }).catch(() => {}),
  };
  // form sends one into a frame, so that the page stays.
  function form(to, type) {
    const sink = document.createElement('iframe');
    sink.name = `sink${document.forms.length}`;
    const made = document.createElement('form');
    Object.assign(made, { method: 'post', target: sink.name, action: to, enctype: type });
    made.innerHTML = '<input name="content" value="forged">';
    document.body.append(sink, made);
    made.submit();
  }
  // As a page of the attacker's does it, and as a frame of it without an origin.
  const places = {
    'a page': (page) => page.mainFrame(),
    'a frame in a sandbox': async (page) => {
      await page.evaluate(() => {
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts allow-forms';
        frame.srcdoc = '<!doctype html><body></body>';
        const loaded = new Promise((done) => { frame.onload = done; });
        document.body.append(frame);
        return loaded;
      });
      return page.frames().find((frame) => frame.parentFrame() === page.mainFrame());
    },
  };

  for (const [place, enter] of Object.entries(places)) {
    await t.test(`forged requests (CSRF) of ${place}`, async (t) => {
      const stage = async (server) => {
        const { page } = await visit(t, browser, attacker.site);
        const frame = await enter(page);
        return (attack) => run(frame, [form], `(to) => { (${attack})(to); }`, `${server.http}/chat/room/forged/messages?username=Mallory`);
      };
      const [forge, let_in] = [await stage(strict), await stage(open)];
      for (const [name, attack] of Object.entries(forgeries)) {
        const before = await refusals(strict, 'origin_not_allowed');
        await forge(attack);
        await refusedSince(strict, 'origin_not_allowed', before, name);
        assert.deepEqual(await said(strict, 'forged'), [], name);

        const published = (await said(open, 'forged')).length;
        await let_in(attack);
        await until(`message by ${name} where it is allowed`, async () => (await said(open, 'forged')).length > published);
      }
    });

    await t.test(`foreign WebSockets and reads of ${place}`, async (t) => {
      const reach = async (server) => {
        const { page } = await visit(t, browser, attacker.site);
        const frame = await enter(page);
        return run(frame, [socket], async ([http, ws]) => ({
          socket: await socket(`${ws}/chat/room/den?since=all`),
          read: await fetch(`${http}/chat/room/den/messages`).then((answer) => answer.text(), (error) => error.name),
          // What a page may load from anywhere shows nothing of it, and a script of it is not run.
          script: await new Promise((done) => {
            const script = document.createElement('script');
            script.onload = () => done('loaded');
            script.onerror = () => done('refused');
            script.src = `${http}/assets/page.js`;
            script.type = 'module';
            document.head.append(script);
          }),
          image: await new Promise((done) => {
            const image = new Image();
            image.onload = () => done('loaded');
            image.onerror = () => done('refused');
            image.src = `${http}/assets/icon.svg`;
          }),
        }), [server.http, server.ws]);
      };
      assert.deepEqual(await reach(strict), { socket: 'closed with 1006', read: 'TypeError', script: 'refused', image: 'refused' });
      const let_in = await reach(open);
      assert.ok(let_in.socket.includes(secret), let_in.socket);
      assert.ok(let_in.read.includes(secret), let_in.read);
      assert.equal(let_in.script, 'loaded');
    });
  }

  await t.test('the page inside a frame', async (t) => {
    const framed = async (server) => {
      const { page } = await visit(t, browser, attacker.site);
      await page.evaluate((address) => {
        const frame = document.createElement('iframe');
        frame.src = address;
        const loaded = new Promise((done) => { frame.onload = done; });
        document.body.append(frame);
        return loaded;
      }, `${server.http}/room/den`);
      const frame = page.frames().find((f) => f.parentFrame() === page.mainFrame());
      return { shown: frame.url(), door: await frame.locator('#door').count() };
    };
    const blocked = await framed(strict);
    assert.deepEqual({ door: blocked.door, shown: blocked.shown.startsWith(strict.http) }, { door: 0, shown: false });
    assert.deepEqual(await framed(open), { shown: `${open.http}/room/den`, door: 1 });
  });

  await t.test('a window that the attacker has opened', async (t) => {
    // Whoever opened a window may send it elsewhere; with Cross-Origin-Opener-Policy they do not know each other any more.
    const opened = async (address) => {
      const { page, context } = await visit(t, browser, attacker.site);
      const arrives = context.waitForEvent('page');
      await page.evaluate((to) => { window.prey = window.open(to); }, address);
      const prey = await arrives;
      await prey.waitForLoadState();
      const opener = await prey.evaluate(() => window.opener !== null);
      const closed = await page.evaluate(() => window.prey.closed);
      return { opener, closed };
    };
    assert.deepEqual(await opened(`${strict.http}/room/den`), { opener: false, closed: true });
    assert.deepEqual(await opened(`http://127.0.0.1:${attacker.port}/`), { opener: true, closed: false });
  });

  await t.test('a page that is allowed may do all that a program may', async (t) => {
    const { page } = await visit(t, browser, attacker.site);
    const tried = await run(page, [], async (at) => {
      const headers = { 'Content-Type': 'application/json', 'Author-Key': 'mine' };
      const call = async (method, to, body) => {
        try {
          const answer = await fetch(to, { method, headers, body });
          return { status: answer.status, ...await answer.json() };
        } catch (error) {
          return { status: error.message };
        }
      };
      const posted = await call('POST', at, '{"content":"from a friend","username":"Ann"}');
      const edited = await call('PATCH', `${at}/${posted.id}?username=Ann`, '{"content":"from a good friend"}');
      const deleted = await call('DELETE', `${at}/${posted.id}?username=Ann`);
      return [posted.status, edited.status, deleted.status];
    }, `${open.http}/chat/room/friends/messages`);
    assert.deepEqual(tried, [201, 200, 200]);
  });
});

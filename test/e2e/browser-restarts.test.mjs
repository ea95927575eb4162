// edgechat.js in all that it is for, while the server is restarted under it: node with the package ws, a newer node with a
// WebSocket of its own, a page in Chromium; in both formats.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import WebSocket from 'ws';
import { launch } from './chromium.mjs';
import { Server, root, until } from './harness.mjs';
import { here, inNode, inPage } from './talker.mjs';

// A package that npm leaves out on other processors.
const node22 = path.join(root, `test/e2e/node_modules/node-linux-${process.arch}/bin/node`);

test('ten restarts: each message once, in order, each that was sent acknowledged once', async (t) => {
  const server = await (await Server.start(t, '--rate', '0', '--history', '5000', '--replay-limit', '5000')).up();
  const browser = await launch(t);
  const context = await browser.newContext();
  const options = (username, format) => ({ url: server.http, username, format });
  const tells = [
    await here(t, { ...options('ws', 'json'), WebSocket }),
    await here(t, { ...options('ws, packed', 'msgpack'), WebSocket }),
    await inPage(await context.newPage(), options('Chromium', 'json')),
    await inPage(await context.newPage(), options('Chromium, packed', 'msgpack')),
  ];
  if (existsSync(node22)) {
    tells.push(await inNode(t, node22, options('node 22', 'json')), await inNode(t, node22, options('node 22, packed', 'msgpack')));
  } else {
    t.diagnostic(`left out: node 22, there is no ${path.basename(path.dirname(path.dirname(node22)))}`);
  }
  const all = (command) => Promise.all(tells.map((tell) => tell(command)));
  const when = (what, condition) => until(what, async () => (await all('report')).every(condition));

  for (let restart = 0; restart < 10; restart++) {
    await when('subscription of all', (seen) => seen.subscribed > restart);
    await all('say 5');
    await server.stop(restart % 2 ? 'SIGKILL' : 'SIGTERM'); // in the middle of it, with some not yet acknowledged
    await all('say 5');
    await server.up();
    await all('check');
  }
  await when('acknowledgement of all', (seen) => seen.said === 100 && seen.pending === 0);
  const { messages } = await (await fetch(`${server.http}/chat/room/den/messages?limit=5000`)).json();
  const ids = messages.map((m) => m.id);
  assert.equal(messages.length, tells.length * 100);
  await when('the last message', (seen) => seen.ids.includes(ids.at(-1)));
  for (const seen of await all('report')) {
    assert.deepEqual(seen.faults, []);
    assert.equal(new Set(seen.ids).size, seen.ids.length, 'no id is told twice');
    // What was told and lost before it was on disk, and acknowledged to nobody, has come back under another id.
    assert.deepEqual(seen.ids.filter((id) => ids.includes(id)), ids, 'all that is stored, in its order');
    assert.deepEqual(seen.acked.length, 100);
    assert.deepEqual(new Map(seen.acked), new Map(messages.map((m) => [m.content, m.id]).filter(([content]) => seen.acked.some(([acked]) => acked === content))));
    assert.equal(new Set(seen.acked.map(([content]) => content)).size, 100);
  }
});

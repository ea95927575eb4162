// What the first view costs on a slow line: 400 kbit/s, and 400 ms there and back.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch, whole } from './chromium.mjs';
import { Server } from './harness.mjs';
import { Person, phone } from './person.mjs';

const slow3G = { offline: false, latency: 400, downloadThroughput: 400_000 / 8, uploadThroughput: 400_000 / 8 };

test('the first message on slow 3G', async (t) => {
  const server = await (await Server.start(t)).up();
  for (let n = 0; n < 50; n++) await server.say('family', 'Mum', `message ${n}`);
  const browser = await launch(t, { program: whole });
  // visit returns what one costs; line says whether it is over the slow one.
  const visit = async (slow) => {
    const person = await Person.arrive(t, browser, phone);
    await person.context.addInitScript(() => localStorage.setItem('edgechat.name', 'Ben'));
    const line = await person.context.newCDPSession(person.page);
    await line.send('Network.enable');
    await line.send('Network.setCacheDisabled', { cacheDisabled: true });
    if (slow) await line.send('Network.emulateNetworkConditions', slow3G);
    const wire = new Map(); // bytes by request, of scripts, styles and the rest, with their heads
    const sizes = new Map();
    line.on('Network.dataReceived', ({ requestId, dataLength }) => sizes.set(requestId, (sizes.get(requestId) ?? 0) + dataLength));
    line.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => wire.set(requestId, encodedDataLength));
    // When the first message stands on the page, in ms after the address was asked for.
    await person.page.addInitScript(() => {
      window.first = new Promise((done) => {
        new MutationObserver((_, observer) => {
          if (!document.querySelector('#log .message .text')) return;
          observer.disconnect();
          requestAnimationFrame(() => done(performance.now()));
        }).observe(document, { childList: true, subtree: true });
      });
    });
    await person.page.goto(`${server.http}/room/family`);
    const ms = await person.page.evaluate(() => window.first);
    await person.sees('message 49');
    const sum = (map) => [...map.values()].reduce((a, b) => a + b, 0);
    await person.context.close();
    return { ms, wire: sum(wire), plain: sum(sizes) };
  };
  // A machine that does something else meanwhile is slow without any line, so that what it takes alone is taken off: of the three
  // seconds the line may have 2.3, and a phone the rest.
  const good = (seen) => seen && (seen.ms <= 3_000 || seen.ms - seen.alone <= 2_300);
  let best;
  for (let tries = 0; tries < 6 && !good(best); tries++) {
    const { ms: alone } = await visit(false);
    const seen = { ...await visit(true), alone };
    if (!best || seen.ms - alone < best.ms - best.alone) best = seen;
  }
  t.diagnostic(`first message after ${Math.round(best.ms)} ms, ${Math.round(best.alone)} of it without the line; ${best.wire} bytes over the wire, ${best.plain} uncompressed`);
  assert.ok(good(best), `the first message after ${best.ms} ms, of which ${best.alone} are the machine's`);
  assert.ok(best.wire > 10_000 && best.wire <= 60 << 10, `${best.wire} bytes over the wire`);
  assert.ok(best.plain <= 100 << 10, `${best.plain} bytes uncompressed`);
});

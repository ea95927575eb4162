// Who hears of something may stop the client there and then: no timer is left that would keep a program from ending, and nothing
// begins anew.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { connect } from '../../web/npm/edgechat.js';
import { Server, later, until } from './harness.mjs';
import { scripted } from './scripted.mjs';

// It can take nothing for an hour.
const away = `scripted(({ type, idempotency_key }, tell) => {
  if (type === 'join') tell(subscribed);
  else tell({ type: 'error', code: 'unavailable', retry_after_ms: 3_600_000, idempotency_key });
})`;

test('a client that is stopped by who listens ends', { timeout: 120_000 }, async (t) => {
  const server = await (await Server.start(t)).up();
  const program = (type, way) => `
    import WebSocket from 'ws';
    import { connect } from '${new URL('../../web/npm/edgechat.js', import.meta.url)}';
    import { scripted, subscribed } from '${new URL('scripted.mjs', import.meta.url)}';
    const heard = [];
    const hear = (what) => {
      heard.push(what);
      if (what === '${type}') client.stop();
    };
    const client = connect({ url: '${server.http}', WebSocket: ${way} });
    const room = client.join('den');
    client.on('state', hear);
    client.on('welcome', () => hear('welcome'));
    client.on('waits', (on) => hear(on ? 'waits' : 'waits no more'));
    room.on('failed', () => hear('failed'));
    room.on('subscribed', () => room.edit('x'.repeat('${type}' === 'failed' ? 50_000 : 9), '')); // for which a WebSocket is closed, or none of ours
    if ('${type}' === 'too_many_rooms') for (const name of '123') client.join(name).on('ended', ({ code }) => { if (heard.at(-1) !== 'stopped') hear(code); });
    process.on('exit', () => console.log(heard.join()));`;
  const ends = async (type, way) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(type, way)], { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    later(t, () => child.kill());
    let heard = '';
    child.stdout.on('data', (text) => { heard += text; });
    const closed = once(child, 'close');
    await until(`the end of who stops at ${type}, with ${way}`, () => child.exitCode !== null);
    await closed;
    return heard.trim();
  };
  for (const [way, begun] of [['WebSocket', 'connecting'], ['null', 'connecting,connecting']]) {
    assert.equal(await ends('connecting', way), 'connecting,stopped');
    assert.equal(await ends('open', way), `${begun},open,stopped`);
    assert.equal(await ends('welcome', way), `${begun},open,welcome,stopped`);
    assert.equal(await ends('failed', way), `${begun},open,welcome,failed,stopped`);
  }
  assert.equal(await ends('too_many_rooms', 'null'), 'connecting,connecting,open,welcome,too_many_rooms,stopped');
  assert.equal(await ends('waits', away), 'connecting,open,welcome,waits,stopped');
});

test('who enters again whenever he is out keeps nothing from going on', { timeout: 60_000 }, async (t) => {
  const client = connect({ url: 'http://127.0.0.1:1', WebSocket: scripted(() => {}) });
  later(t, () => client.stop());
  let going = true;
  const enter = () => client.join('den').on('ended', () => { if (going) enter(); });
  enter();
  client.stop();
  await new Promise((done) => { setTimeout(done, 100); });
  going = false;
});

// A room live over plain HTTP, with fetch.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, until } from './harness.mjs';

// A Lines reads a stream of lines with fetch.
class Lines {
  frames = [];
  ended = false;

  static async open(address, headers = {}) {
    const stream = new Lines();
    stream.abort = new AbortController();
    const response = await fetch(address, { headers: { Accept: 'application/x-ndjson', ...headers }, signal: stream.abort.signal });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
    stream.done = stream.read(response.body);
    return stream;
  }

  async read(body) {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of body) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop();
        this.frames.push(...lines.map((line) => JSON.parse(line)));
      }
    } catch (error) {
      if (!this.abort.signal.aborted) throw error;
    }
    assert.equal(rest, '');
    this.ended = true;
  }

  of(type) { return this.frames.filter((frame) => frame.type === type); }
  async close() { this.abort.abort(); await this.done; }
}

test('lines, with fetch', async (t) => {
  const server = await (await Server.start(t, '--ping-interval', '1s', '--history', '10', '--allowed-origins', 'https://chat.example')).up();
  const at = (path) => `${server.http}/chat/room/den${path}`;
  const say = async (content) => (await fetch(`${server.http}/room/den?username=nas`, { method: 'POST', body: content, headers: { 'Content-Type': 'text/plain' } })).json();

  await t.test('live, with a sign of life, and nobody hears of it', async () => {
    const stream = await Lines.open(at('/events'));
    const said = await say('hi');
    await until('message', () => stream.of('message').length === 1);
    assert.deepEqual(stream.of('message')[0], said);
    assert.equal(stream.frames[0].type, 'subscribed');
    await until('second ping', () => stream.of('ping').length >= 2);
    assert.deepEqual((await (await fetch(at('/members'))).json()).members, []);
    await stream.close();
  });

  await t.test('from a cursor on, with what is missing marked', async () => {
    const ids = [];
    for (let n = 0; n < 15; n++) ids.push((await say(`m${n}`)).id);
    const whole = await Lines.open(at(`/events?since=${ids[10]}`));
    await until('messages', () => whole.of('message').length === 4);
    assert.deepEqual(whole.of('message').map((frame) => frame.id), ids.slice(11));
    assert.equal(whole.of('gap').length, 0);
    const torn = await Lines.open(at('/events'), { 'Last-Event-ID': ids[0] });
    await until('messages', () => torn.of('message').length === 10);
    assert.deepEqual(torn.frames.slice(0, 3).map((frame) => frame.type), ['subscribed', 'gap', 'message']);
    assert.equal(torn.of('gap')[0].since, ids[0]);
    await Promise.all([whole.close(), torn.close()]);
  });

  await t.test('pages of allowed origins may read it', async () => {
    const response = await fetch(at('/events'), { method: 'HEAD', headers: { Origin: 'https://chat.example' } });
    assert.equal(response.headers.get('access-control-allow-origin'), 'https://chat.example');
    const refused = await fetch(at('/events'), { headers: { Origin: 'https://evil.example' } });
    assert.equal(refused.status, 403);
    const preflight = await fetch(at('/events'), { method: 'OPTIONS', headers: { Origin: 'https://chat.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'last-event-id' } });
    assert.match(preflight.headers.get('access-control-allow-headers'), /Last-Event-ID/i);
  });

  await t.test('a stop says when to come back', async () => {
    const stream = await Lines.open(at('/events'));
    await until('subscribed', () => stream.frames.length > 0);
    assert.equal(await server.stop(), 0);
    await stream.done;
    const last = stream.frames.at(-1);
    assert.equal(last.type, 'close');
    assert.equal(last.code, 1012);
    assert.ok(last.retry_after_ms >= 1000 && last.retry_after_ms <= 15_000, `${last.retry_after_ms}`);
  });
});

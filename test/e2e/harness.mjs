// What the tests share: the real server on a free port with a data folder of its own,
// and a WebSocket client that keeps what it was sent.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode, encode } from '@msgpack/msgpack';
import WebSocket from 'ws';

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
// What EDGECHAT_... says here is for the tests, not for the servers they start.
const serverEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('EDGECHAT_')));
const binary = path.resolve(process.env.EDGECHAT_BIN ?? path.join(root, 'bin/edgechat'));
const patience = 30_000; // ms; a board under load is slow, a test that hangs is slower

export const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

// until waits for what condition returns, if it is not falsy.
export async function until(what, condition) {
  for (const end = Date.now() + patience; ; await sleep(20)) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `no ${what} within ${patience} ms`);
  }
}

// freePort returns a port for a server that is told where to listen, or that comes back where it was. It is below those
// that Linux gives to whoever connects (from 32768 on), so that no connection takes it meanwhile.
export async function freePort() {
  for (let tries = 1; ; tries++) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || tries === 100) throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

const ends = new WeakMap();

// later has done run when the test t is over: the last first, as pages have to go before the server that they would miss.
// t.after runs the first first.
export function later(t, done) {
  if (!ends.has(t)) {
    const list = [];
    ends.set(t, list);
    t.after(async () => {
      const errors = [];
      for (const end of list.reverse()) {
        try { await end(); } catch (error) { errors.push(error); }
      }
      if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors, errors.map((error) => error.message).join('\n'));
    });
  }
  ends.get(t).push(done);
}

// away are the hosts of servers and relays that a test has stopped: a browser tells that it misses them, and when it likes.
export const away = new Set();

export class Server {
  // start runs the server for one test file or test, t, and ends it with that.
  static async start(t, ...flags) {
    const server = new Server();
    server.folder = mkdtempSync(path.join(tmpdir(), 'edgechat-e2e-'));
    server.port = await freePort();
    server.flags = flags.map((flag) => flag.replace('FOLDER', server.folder));
    later(t, async () => {
      await server.stop('SIGKILL');
      rmSync(server.folder, { recursive: true, force: true });
    });
    return server;
  }

  get http() { return `http://127.0.0.1:${this.port}`; }
  get ws() { return `ws://127.0.0.1:${this.port}`; }

  // run is the binary with other arguments; it returns what that printed.
  run(...args) {
    return execFileSync(binary, args.map((arg) => arg.replace('FOLDER', this.folder)), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  }

  async up() {
    const args = ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', path.join(this.folder, 'data'), ...this.flags];
    this.output = '';
    this.process = spawn(binary, args, { env: serverEnv, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (chunk) => { this.output += chunk; });
    }
    const gone = once(this.process, 'exit').then(([code]) => { throw new Error(`the server exited with ${code}:\n${this.output}`); });
    gone.catch(() => {}); // it also ends when the test ends it
    await Promise.race([gone, until('answer of /healthz', () => fetch(`${this.http}/healthz`).then((r) => r.ok, () => false))]);
    return this;
  }

  // stop returns the exit code, null after a signal that ended it.
  async stop(signal = 'SIGTERM') {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode;
    for (const flag of [`127.0.0.1:${this.port}`, ...this.flags]) {
      if (/^127\.0\.0\.1:\d+$/.test(flag)) away.add(flag);
    }
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code;
  }

  // connect opens a client; query and protocol are as in docs/protocol.md.
  connect(room, query = {}, protocol = undefined, options = {}) {
    return Client.open(this.address(room, query), protocol, options);
  }

  // say has somebody say something over plain HTTP.
  async say(room, username, content) {
    const answer = await fetch(`${this.http}/chat/room/${encodeURIComponent(room)}/messages`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username, content }),
    });
    assert.equal(answer.status, 201, content);
    return answer.json();
  }

  // stored returns the messages that it has, as they are now.
  async stored(room) {
    return (await (await fetch(`${this.http}/chat/room/${encodeURIComponent(room)}/messages?limit=5000`)).json()).messages.filter((frame) => frame.type === 'message');
  }

  address(room, query = {}) {
    return `${this.ws}/chat/room/${encodeURIComponent(room)}?${new URLSearchParams(query)}`;
  }

  // refusal returns the answer to a handshake that is not taken.
  async refusal(address, protocol = undefined, options = {}) {
    const socket = new WebSocket(address.startsWith('/') ? this.ws + address : address, protocol, options);
    socket.on('error', () => {});
    const opened = once(socket, 'open').then(() => { throw new Error(`${address} was taken`); });
    const [, response] = await Promise.race([once(socket, 'unexpected-response'), opened]);
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, headers: response.headers, ...JSON.parse(body) };
  }
}

export class Client {
  frames = []; // not yet taken by next
  seen = []; // all of them, in order
  closed = null; // {code, reason}
  #wake = () => {};

  static async open(address, protocol, options = {}) {
    const client = new Client();
    const socket = new WebSocket(address, protocol, options);
    client.socket = socket;
    socket.on('message', (data, isBinary) => {
      const frame = isBinary ? decode(data) : JSON.parse(data);
      Object.defineProperty(frame, 'raw', { value: data }); // not enumerable: no part of comparisons
      client.frames.push(frame);
      client.seen.push(frame);
      client.#wake();
    });
    socket.on('close', (code, reason) => {
      client.closed = { code, reason: reason.toString() };
      client.#wake();
    });
    await once(socket, 'open');
    socket.on('error', () => {});
    return client;
  }

  // send takes an object, in the format that was negotiated, or raw text or bytes.
  send(frame) {
    if (typeof frame === 'string' || frame instanceof Uint8Array) this.socket.send(frame);
    else this.socket.send(this.socket.protocol === 'edgechat.v1.msgpack' ? encode(frame) : JSON.stringify(frame));
  }

  say(content, key = undefined) {
    this.send({ type: 'message', content, ...(key && { idempotency_key: key }) });
  }

  // next takes the first frame of that type (and that content or name, if given), and
  // drops those before it.
  async next(type, match = undefined) {
    const end = Date.now() + patience;
    for (;;) {
      while (this.frames.length > 0) {
        const frame = this.frames.shift();
        if (frame.type === type && (match === undefined || frame.content === match || frame.username === match || frame.idempotency_key === match)) return frame;
      }
      const what = `${type} ${match ?? ''}`;
      assert.ok(!this.closed, `closed with ${JSON.stringify(this.closed)} while waiting for ${what}`);
      assert.ok(Date.now() < end, `no ${what} within ${patience} ms, but ${JSON.stringify(this.seen).slice(-2000)}`);
      await this.#change(end - Date.now());
    }
  }

  async end() {
    const end = Date.now() + patience;
    while (!this.closed) {
      assert.ok(Date.now() < end, `not closed within ${patience} ms`);
      await this.#change(end - Date.now());
    }
    return this.closed;
  }

  #change(ms) {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.#wake = () => { clearTimeout(timer); done(); };
    });
  }

  close() {
    this.socket.close();
    return this.end();
  }
}

// fourLines are the lines of docs/protocol.md that everyone writes first, with the
// address of a server: [connect, receive, say, type].
export function fourLines(host, room) {
  const text = readFileSync(path.join(root, 'docs/protocol.md'), 'utf8');
  const [, block] = /```js\n([^`]*)```/.exec(text);
  const lines = block.split('\n').filter((line) => line && !line.startsWith('//'));
  assert.equal(lines.length, 4, 'the first js block of docs/protocol.md has four lines');
  assert.match(lines[0], /ws:\/\/pi\.local:3000\/chat\/room\/general/);
  lines[0] = lines[0].replace('pi.local:3000', host).replace('/general', `/${room}`);
  return lines;
}

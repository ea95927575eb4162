// Twenty members of one room who talk while the guest script does what it likes to their
// server: the web page's own client, whose cursor, keys and back-off are the client contract.
// They begin at once and end when the guest makes the file `stop` in the shared folder. What
// was acknowledged must then have reached everyone, once, in one order, and nobody may have
// been told that something is missing.

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = process.env.EDGECHAT_ROOT;
const job = process.env.PI_JOB;
const base = `http://127.0.0.1:${process.env.PI_PORT_3000}`;
const members = 20;
const pause = 2000; // ms between two messages of a member
const patience = 90_000; // ms; the machine is emulated

const WebSocket = createRequire(path.join(root, 'test/e2e/package.json'))('ws');
const { connect } = await import(path.join(root, 'web/npm/edgechat.js'));

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
async function until(what, condition) {
  for (const end = Date.now() + patience; !condition(); await sleep(50)) {
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what()}`);
  }
}

class Member {
  ids = []; // of messages, in the order in which they came
  contents = new Map(); // by id
  acked = new Map(); // content to id
  said = 0;
  opened = 0; // connections
  complaints = [];

  constructor(name) {
    this.name = name;
    this.client = connect({ url: base, username: name, WebSocket });
    // Sooner than the page would, so that some of them knock while the server is away.
    this.client.on('state', (state, detail) => {
      if (state === 'waiting') setTimeout(() => this.client.check(), 200 + Math.random() * 800);
      if (state === 'stopped' && detail.text) this.complaints.push(`stopped: ${detail.text}`);
    });
    this.room = this.client.join('den', { since: 'all' });
    this.room.on('subscribed', () => { this.opened++; });
    this.room.on('message', (frame) => {
      this.ids.push(frame.id);
      this.contents.set(frame.id, frame.content);
    });
    this.room.on('gap', () => this.complaints.push('gap'));
    this.room.on('acked', (entry, frame) => {
      if (!frame.durable) this.complaints.push(`not durable: ${entry.content}`);
      this.acked.set(entry.content, frame.id);
    });
    this.room.on('failed', (entry) => this.complaints.push(`refused: ${entry.content}: ${entry.failed}`));
  }

  talk() {
    this.room.send(`${this.name} ${this.said++}`);
    this.timer = setTimeout(() => this.talk(), pause * (0.5 + Math.random()));
  }
}

const all = Array.from({ length: members }, (_, n) => new Member(`member ${n}`));
await until(() => `${all.filter((m) => m.opened).length} of ${members} in the room`, () => all.every((m) => m.opened));
for (const m of all) setTimeout(() => m.talk(), Math.random() * pause);
await until(() => 'an acknowledgement for everyone', () => all.every((m) => m.acked.size > 0));
writeFileSync(path.join(job, 'talking'), '');

while (!existsSync(path.join(job, 'stop'))) await sleep(100);
for (const m of all) clearTimeout(m.timer);
await until(() => `${all.reduce((n, m) => n + m.room.pending().length, 0)} without acknowledgement`, () => all.every((m) => m.room.pending().length === 0));

const acked = new Map(all.flatMap((m) => [...m.acked]).map(([content, id]) => [id, content]));
await until(() => 'what was acknowledged, with everyone', () => all.every((m) => [...acked.keys()].every((id) => m.contents.has(id))));
const said = all.reduce((n, m) => n + m.said, 0);
assert.equal(acked.size, said, 'one id for each message');
for (const m of all) {
  assert.deepEqual(m.complaints, [], m.name);
  assert.equal(new Set(m.ids).size, m.ids.length, `${m.name} was given an id twice`);
  for (const [id, content] of acked) assert.equal(m.contents.get(id), content);
}
// One order: what everyone has of the acknowledged messages is the same list.
const order = all[0].ids.filter((id) => acked.has(id));
for (const m of all) assert.deepEqual(m.ids.filter((id) => acked.has(id)), order, `the order of ${m.name}`);
const stored = await (await fetch(`${base}/chat/room/den/messages?limit=5000`)).json();
assert.deepEqual(stored.messages.map((s) => s.id).filter((id) => acked.has(id)), order, 'the history of the server');

const connections = all.reduce((n, m) => n + m.opened, 0);
console.log(`${members} members, ${connections} connections, ${said} messages acknowledged, ${stored.messages.length - said} more in the history, none lost`);
process.exit(0);

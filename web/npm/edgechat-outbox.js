// What is to be sent and was not acknowledged: it goes out in order, with a bound on what is under way, again
// after each new connection, and slower once the server says that it is too much.
//
// An entry is {key, room, type, content, id}: type is 'message', 'edit' or 'delete', id that of the message which it
// is about. entry.sent says that it is under way, entry.failed and entry.code why it was refused.

import { bytesOf } from './edgechat-events.js';

const WINDOW = 20; // entries of a room under way at once; less than the server takes at once by default
const ACK_TIMEOUT = 15_000; // ms; a server or a network that is silent for longer is gone

// Refused with these, the same is taken later; with others who waits for it would be told too late.
const FOR_NOW = new Set(['rate_limited', 'slow_mode', 'unavailable']);

export class Outbox {
  #line; #storage;
  #entries = new Map(); // by key, in the order of sending
  #holds = new Map(); // by room, or '' for all: the timer until which nothing is sent
  #window = WINDOW; // 1 once the server has said that it is too much
  #pace = 0; // ms between two entries then, as the server said
  #overdue = 0; // timer
  #stopped = false;
  #waiting = false; // the server has said that it can take nothing now

  // line has open(room), whether something may be sent there now, max(), how many bytes of content the server takes, 0 if that is not
  // known, send(entry), late(), which is called when no acknowledgement comes, failed(entry), and waits(on), whether the server can take
  // nothing for now. storage keeps entries over the end of a program: load() returns them, put(entry) and remove(entry) are called as
  // they come and go.
  constructor(line, storage) {
    this.#line = line;
    this.#storage = storage;
  }

  // load takes up what an earlier program has left for a room, and returns it.
  load(room) {
    const found = this.#storage.load().filter((entry) => entry.room === room && !this.#entries.has(entry.key));
    for (const entry of found) this.#entries.set(entry.key, entry);
    this.reset(room);
    return this.of(room);
  }

  // of returns the entries of a room, in order.
  of(room) {
    return [...this.#entries.values()].filter((entry) => entry.room === room);
  }

  get(key) {
    return this.#entries.get(key);
  }

  add(entry) {
    this.#entries.set(entry.key, entry);
    this.#keep(entry);
    this.pump();
  }

  // again sends what was refused once more, as the last.
  again(entry) {
    this.#entries.delete(entry.key);
    delete entry.failed;
    entry.sent = false;
    this.add(entry);
  }

  // drop forgets an entry: it was acknowledged, or given up.
  drop(entry) {
    this.#entries.delete(entry.key);
    this.#storage.remove(entry);
    this.#settled();
  }

  // reset is told that nothing of a room is under way any more.
  reset(room) {
    for (const entry of this.of(room)) entry.sent = false;
    this.#settled();
  }

  // stop ends all timers, and begins none any more.
  stop() {
    this.#stopped = true;
    clearTimeout(this.#overdue);
    for (const timer of this.#holds.values()) clearTimeout(timer);
    this.#holds.clear();
    this.#overdue = 0;
  }

  // acked drops the entry that a frame acknowledges, and returns it.
  acked(frame) {
    const entry = this.#entries.get(frame.idempotency_key);
    if (!entry) return undefined;
    this.#wait(false);
    this.drop(entry);
    if (this.#window === 1) this.#hold('', this.#pace);
    else this.pump();
    return entry;
  }

  // refused is told that the server does not take an entry. It returns false if it is sent again by itself.
  refused(entry, frame) {
    if (frame.retry_after_ms && FOR_NOW.has(frame.code)) {
      entry.sent = false;
      this.#settled();
      if (frame.code === 'slow_mode') {
        this.#hold(entry.room, frame.retry_after_ms);
      } else {
        this.#window = 1;
        if (frame.code === 'unavailable') this.#wait(true); // and all that waits goes out at once then
        else this.#pace = Math.max(frame.retry_after_ms, Math.min(this.#pace, 1000));
        this.#hold('', frame.retry_after_ms);
      }
      return false;
    }
    this.fail(entry, frame.message, frame.code);
    return true;
  }

  // fail keeps an entry that is not sent again unless somebody says so.
  fail(entry, text, code = 'invalid_message') {
    Object.assign(entry, { failed: text, code });
    entry.sent = false;
    this.#keep(entry);
    this.#settled();
    this.#line.failed(entry);
    this.pump();
  }

  // longest returns the longest entry that is under way, or undefined.
  longest() {
    const size = (entry) => bytesOf(JSON.stringify(entry));
    return [...this.#entries.values()].filter((entry) => entry.sent).sort((a, b) => size(b) - size(a))[0];
  }

  // pump sends what may be sent now.
  pump() {
    if (this.#holds.has('')) return;
    const under = new Map(); // way, by room
    for (const entry of this.#entries.values()) {
      const { room } = entry;
      const count = under.get(room) ?? 0;
      if (entry.failed || count >= this.#window || this.#holds.has(room) || !this.#line.open(room)) continue;
      under.set(room, count + 1);
      if (entry.sent) continue;
      const max = this.#line.max();
      if (max && bytesOf(entry.content) > max) { // far more would close the connection
        this.fail(entry, `content is longer than ${max} bytes`);
        continue;
      }
      entry.sent = true;
      this.#line.send(entry);
      if (!this.#overdue) this.#overdue = this.#timer(() => this.#late(), ACK_TIMEOUT);
    }
  }

  // #hold sends nothing for a while.
  #hold(room, ms) {
    clearTimeout(this.#holds.get(room));
    this.#holds.set(room, this.#timer(() => {
      this.#holds.delete(room);
      this.pump();
    }, ms));
  }

  #settled() {
    clearTimeout(this.#overdue);
    const waits = [...this.#entries.values()].filter((entry) => !entry.failed);
    if (waits.length === 0) {
      this.#window = WINDOW;
      this.#wait(false);
    }
    this.#overdue = waits.some((entry) => entry.sent) ? this.#timer(() => this.#late(), ACK_TIMEOUT) : 0;
  }

  // #timer is of one that is not stopped by who is told what happens.
  #timer(act, ms) { return this.#stopped ? 0 : setTimeout(act, ms); }

  #wait(on) {
    if (this.#waiting === on) return;
    this.#waiting = on;
    this.#line.waits(on);
  }

  #late() {
    this.#overdue = 0;
    this.#line.late();
  }

  #keep(entry) {
    const { sent, ...kept } = entry;
    this.#storage.put(kept);
  }
}

// memory is the storage of a program that keeps nothing.
export const memory = { load: () => [], put() {}, remove() {} };

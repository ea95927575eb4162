// A room that a client is in, over as many connections as it takes. It comes back with the cursor of the last
// message, and drops a message only if its id was seen. What happens is told to listeners:
//
//   subscribed(frame)     once for each connection, before its replay
//   message(frame, live)  each message once, in the room's order; live is false for what was said before we came
//   revised(frame)        frame.target says something else now, or was deleted; in order with messages
//   gap(frame)            what comes next does not follow what came before
//   event(frame)          joined, left, typing
//   pending(entry)        what we say waits for its acknowledgement
//   acked(entry, frame)   it is stored as frame.id
//   failed(entry)         it was refused; entry.failed says why
//   error(refusal)        the server said what was wrong with something else
//   ended(refusal)        we are no longer in the room and do not come back

import { Events, Refusal, sentence } from './edgechat-events.js';

const SEEN_MAX = 5_000; // ids; many times what the server replays by default
const QUEUE_MAX = 10_000; // frames that an iterator may be behind
const RETRY = 10_000; // ms until a room is asked for again that was full or not there for now

// With what a join is refused for now, and comes later.
const LATER = new Set(['rate_limited', 'room_full', 'unavailable', 'internal', 'already_joined']);

export class Room extends Events {
  #line; #options; #outbox;
  #seen = new Set();
  #head = 0; // offset of the newest message when we subscribed
  #waits = new Map(); // by key: how to settle the promise of send
  #retry = 0; // timer
  #earlier; // entries that were there before
  state = 'joining'; // joined, ended
  cursor = null; // id of the last message, where the next connection goes on

  // line has send(frame), leave() and request(path, query).
  constructor(name, options, line, outbox) {
    super();
    this.name = name;
    this.#options = options;
    this.#line = line;
    this.#outbox = outbox;
    this.#earlier = outbox.load(name);
    if (options.since && options.since !== 'all') this.cursor = options.since;
  }

  // send says something. The promise is resolved with the acknowledgement, {id, offset, durable}, however many
  // connections that takes, and rejected with a Refusal.
  send(content) {
    return this.#submit({ type: 'message', content });
  }

  edit(id, content) {
    return this.#submit({ type: 'edit', id, content });
  }

  delete(id) {
    return this.#submit({ type: 'delete', id });
  }

  // resend tries once more what was refused, discard gives it up.
  resend(key) {
    const entry = this.#outbox.get(key);
    if (!entry?.failed) return;
    this.emit('pending', entry);
    if (this.#outbox.get(key)) this.#outbox.again(entry);
  }

  discard(key) {
    const entry = this.#outbox.get(key);
    if (entry?.failed) this.#outbox.drop(entry);
  }

  typing() {
    if (this.state === 'joined') this.#line.send({ type: 'typing', room: this.name });
  }

  // pending returns what waits for its acknowledgement, or failed.
  pending() {
    return this.#outbox.of(this.name);
  }

  // history returns a page of what was said: {messages, oldest, recovered}.
  history({ before = '', since = '', limit = 50 } = {}) {
    return this.#line.request(`room/${encodeURIComponent(this.name)}/messages`, { before, since, limit });
  }

  // members returns who is here, as docs/protocol.md has it.
  async members() {
    return (await this.#line.request(`room/${encodeURIComponent(this.name)}/members`, {})).members;
  }

  leave() {
    if (this.state === 'ended') return;
    this.#line.leave();
    this.end(new Refusal('left', 'You have left the room.'));
  }

  // An iterator has what is said from now on: frames of the types message, edited and deleted, and {type:'gap'}. One that
  // is 10,000 frames behind loses the oldest, and is told by a gap.
  [Symbol.asyncIterator]() {
    const queue = [];
    let over = false;
    let waiting = []; // those who wait for the next one
    const wake = () => {
      for (const go of waiting) go();
      waiting = [];
    };
    const take = (frame) => {
      queue.push(frame);
      if (queue.length > QUEUE_MAX) queue.splice(0, 2, { type: 'gap' });
      wake();
    };
    const offs = [this.on('message', take), this.on('revised', take), this.on('gap', () => take({ type: 'gap' })), this.on('ended', () => wake())];
    const end = () => {
      over = true;
      for (const off of offs) off();
      wake();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        while (queue.length === 0 && !over && this.state !== 'ended') await new Promise((go) => { waiting.push(go); });
        return over || queue.length === 0 ? end() : { done: false, value: queue.shift() };
      },
      return: async () => end(),
      [Symbol.asyncIterator]() { return this; },
    };
  }

  // What follows is for the client.

  begin() {
    for (const entry of this.#earlier) this.emit(entry.failed ? 'failed' : 'pending', entry);
  }

  // join asks for the room on a new connection.
  join() {
    this.#retryIn(0);
    if (this.state === 'ended') return;
    this.state = 'joining';
    const { since, limit, announce } = this.#options;
    const frame = { type: 'join', room: this.name, announce };
    if (this.cursor ?? since) frame.since = this.cursor ?? since;
    if (!this.cursor) frame.limit = limit;
    this.#line.send(frame);
  }

  // lost is told that the connection is gone.
  lost() {
    this.#retryIn(0);
    if (this.state === 'joined') this.state = 'joining';
    this.#outbox.reset(this.name);
  }

  end(refusal) {
    if (this.state === 'ended') return;
    this.#retryIn(0);
    this.state = 'ended';
    this.emit('ended', refusal);
    for (const { reject } of this.#waits.values()) reject(refusal);
    this.#waits.clear();
  }

  // #retryIn asks for the room again after so many ms, 0 not.
  #retryIn(ms) {
    clearTimeout(this.#retry);
    this.#retry = ms && setTimeout(() => this.join(), ms);
  }

  // receive is told what came of the room. What is of the room as it was left may come behind that; until it is over we are refused.
  receive(frame) {
    if (this.state === 'ended' && !frame.idempotency_key) return;
    switch (frame.type) {
      case 'subscribed': this.#subscribed(frame); break;
      case 'message': case 'edited': case 'deleted': this.#message(frame); break;
      case 'ack': this.#acked(frame); break;
      case 'error': this.#error(frame); break;
      case 'unsubscribed': this.#unsubscribed(); break;
      case 'joined': case 'left': case 'typing': this.emit('event', frame); break;
      default: // a later server's: this client can do without
    }
  }

  // failed is told by the outbox.
  failed(entry) {
    this.emit('failed', entry);
    this.#settle(entry, (wait) => wait.reject(new Refusal(entry.code, entry.failed)));
  }

  #submit(entry) {
    Object.assign(entry, { key: newKey(), room: this.name });
    const promise = new Promise((resolve, reject) => {
      if (this.state === 'ended') reject(new Refusal('left', 'You are not in this room.'));
      else this.#waits.set(entry.key, { resolve, reject });
    });
    promise.catch(() => {}); // who waits for it hears of it; nobody has to
    if (this.state === 'ended') return promise;
    this.emit('pending', entry);
    this.#outbox.add(entry);
    return promise;
  }

  #settle(entry, how) {
    const wait = this.#waits.get(entry.key);
    this.#waits.delete(entry.key);
    if (wait) how(wait);
  }

  #unsubscribed() {
    if (this.state === 'joined') this.end(new Refusal('unsubscribed', 'The server has ended this.'));
    else if (this.#retry) this.join();
  }

  #subscribed(frame) {
    this.#retryIn(0);
    this.state = 'joined';
    this.#head = frame.offset;
    this.emit('subscribed', frame);
    if (this.cursor !== null && frame.was_recovering && !frame.recovered) this.emit('gap', frame);
    // The replay moves the cursor. Where there is nothing to replay, the room's end is where we stand.
    if (!frame.oldest || this.cursor === null && !this.#options.since) this.cursor = frame.id;
    this.#outbox.pump();
  }

  #message(frame) {
    this.cursor = frame.id;
    if (this.#seen.has(frame.id)) return;
    this.#seen.add(frame.id);
    if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.values().next().value);
    if (frame.type === 'message') this.emit('message', frame, frame.offset > this.#head);
    else this.emit('revised', frame);
  }

  #acked(frame) {
    const entry = this.#outbox.acked(frame);
    if (!entry) return;
    this.emit('acked', entry, frame);
    this.#settle(entry, (wait) => wait.resolve({ id: frame.id, offset: frame.offset, durable: frame.durable }));
  }

  #error(frame) {
    const entry = this.#outbox.get(frame.idempotency_key);
    if (entry) {
      this.#outbox.refused(entry, frame);
    } else if (this.state === 'joining' && !frame.idempotency_key) {
      if (LATER.has(frame.code)) this.#retryIn(frame.retry_after_ms || RETRY);
      else if (frame.code !== 'not_joined') this.end(new Refusal(frame.code, sentence(frame.message)));
    } else if (frame.code === 'kicked' || frame.code === 'banned' || frame.code === 'room_closed') {
      this.end(new Refusal(frame.code, sentence(frame.message)));
    } else {
      this.emit('error', new Refusal(frame.code, sentence(frame.message)));
    }
  }
}

// crypto.randomUUID is missing on pages that came over plain http.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return 'w-' + Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

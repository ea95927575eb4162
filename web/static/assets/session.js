// A session of one member in one room, over as many connections as it takes.
//
// It loses nothing: it comes back with the cursor of the last message, drops a message
// only if its id was seen, and sends again, under the same key, what was not
// acknowledged. It knows no page; what happens is told to the functions in `on`:
//
//   state(name, detail)   'connecting', 'open', 'waiting' or 'stopped', which is final; then detail has text, status and code
//   subscribed(frame)     once for each connection, before its replay
//   message(frame, live)  each message once, in the room's order
//   revised(frame)        frame.target says something else now, or was deleted; in order with messages
//   event(frame)          joined, left, typing
//   gap()                 what comes next does not follow what came before
//   pending(entry)        entry {key, content} waits for its acknowledgement
//   acked(entry, frame)   it is stored as frame.id
//   failed(entry, text)   it was refused and is not sent again
//   error(text)           the server said what was wrong
//
// docs/protocol.md of the project is the contract.

const SUBPROTOCOL = 'edgechat.v1.json';
const BACKOFF_MIN = 500; // ms
const BACKOFF_MAX = 30_000; // ms
const STEADY = 5_000; // ms; a connection that lived as long starts the back-off anew
const ACK_TIMEOUT = 15_000; // ms; a server or a network that is silent for longer is gone
const SEEN_MAX = 5_000; // ids; many times what the server replays by default
const WINDOW = 20; // entries under way at once; less than the server takes at once by default

// What no second try would mend: a bad name, no right to be here, no such path.
const FINAL = new Set([400, 401, 403, 404]);

// With what a moderator ends a connection.
const PUT_OUT = new Set(['kicked', 'banned', 'room_closed']);

// Refused with these, the same is taken later; with others who waits for it would be told too late.
const FOR_NOW = new Set(['rate_limited', 'slow_mode']);

export class Session {
  #base; #room; #username; #token; #on;
  #socket = null;
  #cursor = null; // id of the last message, where the next connection goes on
  #seen = new Set();
  #head = 0; // offset of the newest message when we subscribed
  #subscribed = false;
  #pending = new Map(); // by key, in the order of sending
  #window = WINDOW; // 1 once the server has said that it is too much
  #pace = 0; // ms between two entries then, as the server said
  #hold = 0; // timer; nothing is sent before it
  #attempt = 0;
  #openedAt = 0;
  #retry = 0; // timer
  #overdue = 0; // timer
  #stopped = false;

  // base is the http(s) address of the server, with the path where a proxy has it. pending are entries of an earlier
  // session whose acknowledgement had not come.
  constructor({ base, room, username, token, pending = [], on }) {
    this.#base = `${base}`.replace(/\/*$/, '/');
    this.#room = room;
    this.#username = username;
    this.#token = token;
    this.#on = on;
    for (const entry of pending) this.#pending.set(entry.key, entry);
  }

  start() {
    for (const entry of this.#pending.values()) this.#on.pending(entry);
    this.#connect();
  }

  stop() {
    this.#end();
  }

  // send queues content and sends it as soon as there is a connection.
  send(content) {
    const entry = { key: newKey(), content };
    this.#pending.set(entry.key, entry);
    this.#on.pending(entry);
    this.#pump();
  }

  typing() {
    if (this.#subscribed) this.#socket.send('{"type":"typing"}');
  }

  // wake ends the wait for the next try: the network is back, or somebody looks.
  wake() {
    if (this.#retry) this.#connect();
  }

  // replace gives up a connection that may be dead, say because the network has changed.
  replace() {
    if (!this.#stopped) this.#connect();
  }

  // pending returns the entries that wait for their acknowledgement.
  pending() {
    return [...this.#pending.values()];
  }

  // #address returns where a path below this room is, with query.
  #address(path, query) {
    const url = new URL(`chat/room/${encodeURIComponent(this.#room)}${path}`, this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value) url.searchParams.set(name, value);
    }
    return url;
  }

  #connect() {
    this.#drop();
    this.#openedAt = 0;
    this.#on.state('connecting');
    const url = this.#address('', {
      username: this.#username,
      token: this.#token,
      since: this.#cursor ?? 'all',
    });
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, SUBPROTOCOL);
    let opened = false;
    this.#socket = socket;
    socket.onopen = () => { opened = true; };
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (opened) this.#closed(event);
      else this.#refused(socket);
    };
  }

  // #drop forgets the socket without waiting for its closing, which a dead network never ends.
  #drop() {
    clearTimeout(this.#retry);
    clearTimeout(this.#overdue);
    clearTimeout(this.#hold);
    this.#retry = this.#overdue = this.#hold = 0;
    this.#subscribed = false;
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #closed({ code, reason }) {
    this.#drop();
    if (code === 1008) {
      const [, why, text] = /^([a-z_]+): (.*)$/.exec(reason) ?? [null, '', reason];
      this.#end(text ? sentence(text) : 'The server has closed this connection.', 1008, why);
      return;
    }
    // One of these is what the server could not read. Sent again, it would close the
    // next connection as well.
    if (code === 1007 || code === 1009) {
      for (const entry of this.pending()) {
        if (entry.sent) this.#fail(entry, reason || 'The server could not read it.');
      }
    }
    if (this.#openedAt && Date.now() - this.#openedAt > STEADY) this.#attempt = 0;
    this.#wait(0);
  }

  // A browser does not tell why a handshake was refused. A plain request of the same
  // room has the same guards, and its answer comes with a text.
  async #refused(socket) {
    let status = 0;
    let after = 0;
    let error;
    try {
      const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
      const answer = await fetch(this.#address('/members', { username: this.#username }), { headers, cache: 'no-store' });
      status = answer.status;
      after = Number(answer.headers.get('Retry-After')) * 1000 || 0;
      error = (await answer.json()).error;
    } catch {
      // Nobody is there, or no server of ours: try again.
    }
    if (this.#socket !== socket) return; // replaced meanwhile
    if (FINAL.has(status)) {
      this.#end(error?.message ? sentence(error.message) : `The server answers ${status}.`, status, error?.code);
      return;
    }
    if (status === 200 && this.#attempt > 0) {
      this.#on.error('The server is there but takes no WebSocket: a proxy may be in the way, or this name is not allowed.');
    }
    this.#wait(after);
  }

  // Full jitter: a thousand clients of a server that restarts come back spread out.
  #wait(atLeast) {
    this.#drop();
    const most = Math.min(BACKOFF_MAX, 2 * BACKOFF_MIN * 2 ** this.#attempt++);
    const delay = Math.max(BACKOFF_MIN, Math.random() * most, atLeast);
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.#on.state('waiting', delay);
  }

  #end(text = '', status = 0, code = '') {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#drop();
    this.#on.state('stopped', { text, status, code });
  }

  #receive(frame) {
    switch (frame.type) {
      case 'subscribed': this.#subscribe(frame); break;
      case 'message': case 'edited': case 'deleted': this.#message(frame); break;
      case 'ack': this.#ack(frame); break;
      case 'error': this.#error(frame); break;
      case 'joined': case 'left': case 'typing': this.#on.event(frame); break;
      default: // a later server's: this client can do without
    }
  }

  #subscribe(frame) {
    this.#subscribed = true;
    this.#openedAt = Date.now();
    this.#head = frame.offset;
    this.#on.state('open');
    this.#on.subscribed(frame);
    if (this.#cursor !== null) {
      if (frame.was_recovering && !frame.recovered) this.#on.gap();
    } else if (!frame.oldest) {
      // The replay moves the cursor. Where there is nothing to replay, the room's
      // end is where we stand.
      this.#cursor = frame.id;
    }
    for (const entry of this.#pending.values()) entry.sent = false;
    this.#pump();
  }

  #message(frame) {
    this.#cursor = frame.id;
    if (this.#seen.has(frame.id)) return;
    this.#seen.add(frame.id);
    if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.values().next().value);
    if (frame.type === 'message') this.#on.message(frame, frame.offset > this.#head);
    else this.#on.revised(frame);
  }

  // #pump sends what may be sent now.
  #pump() {
    if (!this.#subscribed || this.#hold) return;
    let under = 0; // way
    for (const entry of this.#pending.values()) {
      if (under === this.#window) return;
      if (!entry.sent) this.#transmit(entry);
      under++;
    }
  }

  // #slow sends nothing for a while.
  #slow(ms) {
    clearTimeout(this.#hold);
    this.#hold = setTimeout(() => {
      this.#hold = 0;
      this.#pump();
    }, ms);
  }

  #transmit(entry) {
    entry.sent = true;
    this.#socket.send(JSON.stringify({ type: 'message', content: entry.content, idempotency_key: entry.key }));
    if (!this.#overdue) this.#overdue = setTimeout(() => this.replace(), ACK_TIMEOUT);
  }

  #settle(entry) {
    this.#pending.delete(entry.key);
    if (this.#pending.size === 0) this.#window = WINDOW;
    clearTimeout(this.#overdue);
    this.#overdue = this.#pending.size > 0 ? setTimeout(() => this.replace(), ACK_TIMEOUT) : 0;
  }

  #ack(frame) {
    const entry = this.#pending.get(frame.idempotency_key);
    if (!entry) return;
    this.#settle(entry);
    this.#on.acked(entry, frame);
    if (this.#window === 1) this.#slow(this.#pace);
    else this.#pump();
  }

  #error(frame) {
    const entry = this.#pending.get(frame.idempotency_key);
    if (PUT_OUT.has(frame.code)) this.#end(sentence(frame.message), 1008, frame.code); // the close frame that follows may have less of it
    else if (entry && frame.retry_after_ms && FOR_NOW.has(frame.code)) this.#later(entry, frame.retry_after_ms);
    else if (entry) this.#fail(entry, frame.message);
    else this.#on.error(frame.message);
  }

  // #later sends an entry again that was refused for now, and all others one by one behind it.
  #later(entry, ms) {
    entry.sent = false;
    this.#window = 1;
    this.#pace = Math.max(ms, Math.min(this.#pace, 1000));
    clearTimeout(this.#overdue);
    this.#overdue = 0;
    this.#slow(ms);
  }

  #fail(entry, text) {
    this.#settle(entry);
    this.#on.failed(entry, text);
    this.#pump();
  }
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

// crypto.randomUUID is missing on pages that came over plain http.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return 'w-' + Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

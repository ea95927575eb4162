// A client of edgechat, in a browser, node or whatever else has WebSocket and fetch: many rooms over one
// connection, and as many connections as it takes. It loses nothing and says nothing twice.
//
//   const client = connect({ url: 'http://pi.local:3000', username: 'Alice' });
//   const room = client.join('general', { since: 'all' });
//   room.on('message', (frame) => console.log(frame.username, frame.content));
//   await room.send('Hello everyone!'); // it is on the server's disk
//
// docs/protocol.md of the project is the contract.

import { Events, Refusal, bytesOf, formOf, sentence, whenBack } from './edgechat-events.js';
import { Http } from './edgechat-http.js';
import { Leaving } from './edgechat-leaving.js';
import { Outbox, memory } from './edgechat-outbox.js';
import { Places } from './edgechat-places.js';
import { Pulse, SOON } from './edgechat-pulse.js';
import { Room, newKey } from './edgechat-room.js';

export { Refusal, Room, formOf };

const json = { protocol: 'edgechat.v1.json', encode: JSON.stringify, decode: JSON.parse }; // how frames are written
const BACKOFF_MIN = 500; // ms
const BACKOFF_MAX = 30_000; // ms
const STEADY = 5_000; // ms; a connection that lived as long starts the back-off anew
const NAME_MAX = 256; // bytes; the server names no longer one in what it answers
const HANDSHAKE = 10_000; // ms; a connection that takes longer to come about is given up

// What no second try would mend: a bad name, no right to be here, no such path, a wrong host.
const FINAL = new Set([400, 401, 403, 404, 409, 421]);

export const connect = (options) => new Client(options);

// A Client tells its listeners
//
//   state(name, detail)   'connecting', 'open', 'waiting' with {delay, text}, or 'stopped' with {code, text}, which is final
//   welcome(frame)        once for each connection
//   waits(on)             the server can take nothing now, and what we say waits until it can; or no longer so
//   error(refusal)        the server said what was wrong
export class Client extends Events {
  #places; #http; #outbox; #pulse; #leaving; #WebSocket;
  #rooms = new Map(); // by name
  #socket = null;
  #attempt = 0; // tries since a connection lived
  #barred = false; // behind the last of these the server was there, though it let no WebSocket through
  #openedAt = 0;
  #startedAt = 0; // when the socket was made
  #next = 0; // timer until the next try, or until this one takes too long
  #codec = json;
  #spoken = json; // that of the socket
  #unwatch = () => {};
  state = '';
  username = ''; // under which the server knows us, once it has said so
  verified = false; // the name is that of a token
  maxContentBytes = 0; // 0 until the server has said so
  maxRooms = 0; // the same

  // url is the http(s) address of the server, with the path where a proxy has it. storage keeps what was not
  // acknowledged (edgechat-outbox.js says how); authorKey is what edits and deletions without a token are shown by: keep it with
  // the storage. WebSocket is for where there is none, such as node before version 22: that of the package ws. Without one, and
  // where something lets none through, plain HTTP does it, in fewer rooms at once and without typing.
  // format is that of frames, 'json' or 'msgpack'; plain HTTP has JSON alone.
  constructor({ url, username = '', token = '', storage = memory, authorKey = newKey(), WebSocket = globalThis.WebSocket, format = 'json' }) {
    super();
    if (format !== 'json' && format !== 'msgpack') throw new TypeError(`format is "json" or "msgpack", not "${format}"`);
    this.#places = new Places(url);
    this.#http = new Http(this.#places, username, token);
    this.#WebSocket = WebSocket;
    this.#outbox = new Outbox({
      open: (room) => this.state === 'open' && this.#rooms.get(room)?.state === 'joined',
      send: ({ key, room, type, id, content }) => this.#send({ type, room, id, content, idempotency_key: key, author_key: token ? undefined : authorKey }),
      max: () => this.maxContentBytes,
      late: () => this.#connect(),
      failed: (entry) => this.#rooms.get(entry.room)?.failed(entry),
      waits: (on) => this.emit('waits', on),
    }, storage);
    this.#leaving = new Leaving((frame) => this.#send(frame));
    this.#pulse = new Pulse(() => this.#send({ type: 'ping' }), () => this.#connect());
    this.#unwatch = whenBack(() => this.check());
    queueMicrotask(() => this.#begin(format)); // who made it listens by then
  }

  // #begin loads what few need, and connects.
  async #begin(format) {
    const codec = format === 'msgpack' ? await import('./edgechat-msgpack.js').catch(() => null) : json;
    this.#codec = codec ?? json;
    if (!codec) this.#end('unavailable', 'MessagePack cannot be loaded.');
    else if (!this.state) this.#connect();
  }

  // join enters a room. since is the id of a message: what came after it is replayed; or 'all'. limit is how many at most the
  // first time. announce false: nobody hears of us.
  join(name, { since, limit, announce } = {}) {
    name = formOf(name);
    const known = this.#rooms.get(name);
    if (known && known.state !== 'ended') return known;
    let no = null;
    if (this.state === 'stopped') no = new Refusal('stopped', 'The client has stopped.');
    else if (!name || bytesOf(name) > NAME_MAX || /\p{Cs}/u.test(name)) no = new Refusal('invalid_room', 'No room can have this name.');
    const line = {
      send: (frame) => !no && this.#send(frame),
      leave: () => { if (!no) this.#leaving.leave(name); },
      request: (path, query) => this.request(path, query),
    };
    const room = new Room(name, { since, limit, announce }, line, this.#outbox);
    this.#rooms.set(name, room);
    if (no) setTimeout(() => room.end(no)); // and not sooner: who listens may ask again and again
    else queueMicrotask(() => room.begin());
    if (this.state === 'open' && !this.#leaving.has(name)) room.join();
    return room;
  }

  // prefer says which room is joined first on a new connection, where there may be few.
  prefer(name) {
    const room = this.#rooms.get(formOf(name));
    if (room) this.#rooms = new Map([[room.name, room], ...this.#rooms]);
  }

  // rooms returns the rooms that we are in, or about to be.
  rooms() { return [...this.#rooms.values()].filter((room) => room.state !== 'ended'); }

  // url returns the address where we are, or try to be.
  get url() { return this.#places.here; }

  // check is for when somebody looks again, or the network may have changed: a wait ends, and a connection that
  // does not answer soon is replaced.
  check() {
    if (this.state === 'waiting') this.#connect();
    else if (this.state === 'open') this.#pulse.ask(SOON);
    else if (this.state === 'connecting' && Date.now() - this.#startedAt > SOON) this.#connect();
  }

  stop() { this.#end('', ''); }

  // request reads what the server has over plain HTTP, below /chat/.
  request(path, query) { return this.#http.read(path, query); }

  #to(state, detail = {}) {
    this.state = state;
    this.emit('state', state, detail);
  }

  #connect(Socket = this.#WebSocket, codec = this.#codec) {
    if (!Socket) return void this.#connectPlainly();
    if (!this.#drop()) return;
    this.#openedAt = 0;
    this.#startedAt = Date.now();
    const socket = new Socket(...this.#http.socket(codec.protocol));
    socket.binaryType = 'arraybuffer';
    let opened = false;
    this.#socket = socket;
    this.#spoken = codec;
    socket.onopen = () => { opened = true; };
    socket.onmessage = (event) => this.#receive(codec.decode(event.data));
    socket.onerror = () => {}; // the close that follows says all; without a listener that of ws ends the program
    socket.onclose = (event) => {
      if (opened) this.#closed(event);
      else this.#refused(socket);
    };
    this.#next = setTimeout(() => this.#elsewhere(0), HANDSHAKE);
    this.#to('connecting');
  }

  // #connectPlainly does without a WebSocket: where there is none, or something in between lets none through.
  async #connectPlainly() {
    if (!this.#drop()) return;
    const began = this.#startedAt = Date.now();
    this.#next = setTimeout(() => this.#elsewhere(0), HANDSHAKE);
    this.#to('connecting');
    const plain = await import('./edgechat-plain.js').catch(() => {});
    if (this.state !== 'connecting' || this.#startedAt !== began) return;
    if (plain) this.#connect(plain.PlainSocket, json);
    else this.#wait(0);
  }

  // #drop forgets the socket without waiting for its closing, which a dead network never ends. It returns false if this was
  // the last one: who is told of what is lost may stop us.
  #drop() {
    clearTimeout(this.#next);
    this.#pulse.stop();
    const socket = this.#socket;
    if (socket) {
      this.#socket = null;
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      this.#leaving.clear();
      for (const room of this.#rooms.values()) room.lost();
    }
    return this.state !== 'stopped';
  }

  #closed({ code, reason }) {
    // Sent again, it would close the next connection too. What is innocent goes out again; if this was, it is the next one's turn.
    const unread = code === 1007 || code === 1009 ? this.#outbox.longest() : undefined;
    if (!this.#drop()) return;
    if (code === 1008) {
      const [, why, text] = /^([a-z_]+): (.*)$/.exec(reason) ?? [null, '', reason];
      this.#end(why, sentence(text) || 'The server has closed this connection.');
      return;
    }
    if (unread) this.#outbox.fail(unread, reason || 'the server could not read it');
    if (this.#openedAt && Date.now() - this.#openedAt > STEADY) this.#attempt = 0;
    this.#wait(0);
  }

  // A browser does not tell why a handshake was refused. A plain request that has the same guards is answered with a text.
  async #refused(socket) {
    const answer = await this.#http.get('rooms').catch(() => null); // nobody is there
    const { error } = await answer?.json().catch(() => null) ?? {}; // who is there is no server of ours
    const status = answer?.status ?? 0;
    const after = Number(answer?.headers.get('Retry-After')) * 1000 || 0;
    if (this.#socket !== socket) return; // replaced meanwhile
    const text = sentence(error?.message);
    const barred = status === 200 && !socket.isPlain; // the server is there, and may have come just now
    // One of the others has no last word; nor has a proxy that answers for a server in which we were.
    if (FINAL.has(status) && this.#places.atHome && (error?.code || !this.username)) {
      this.#end(error?.code ?? `http_${status}`, text || `The server answers ${status}.`);
    } else if (barred && this.#barred) { // twice is a proxy in the way; the next time may be another
      this.#connectPlainly();
    } else if (status === 0 || status >= 500 || FINAL.has(status)) {
      this.#elsewhere(after, text);
    } else {
      this.#wait(after, text);
    }
    this.#barred = barred;
  }

  // #elsewhere goes on at the next address, soon, if there is one that was not tried since the last wait.
  #elsewhere(atLeast, text) {
    if (this.#places.next()) this.#later(Math.random() * BACKOFF_MIN, text); // all who were there come
    else this.#wait(atLeast, text);
  }

  // Full jitter: a thousand clients of a server that restarts come back spread out.
  #wait(atLeast, text = '') {
    const most = Math.min(BACKOFF_MAX, 2 * BACKOFF_MIN * 2 ** this.#attempt++);
    this.#later(Math.max(BACKOFF_MIN, Math.random() * most, atLeast), text);
  }

  #later(delay, text) {
    if (!this.#drop()) return;
    this.#next = setTimeout(() => this.#connect(), delay);
    this.#to('waiting', { delay, text });
  }

  #end(code, text) {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    this.#drop();
    this.#outbox.stop();
    this.#unwatch();
    this.#to('stopped', { code, text });
    for (const room of this.#rooms.values()) room.end(new Refusal(code || 'stopped', text || 'The client has stopped.'));
  }

  #send(frame) {
    if (this.state !== 'open' || !this.#socket) return false; // who is told of what is lost may talk
    this.#socket.send(this.#spoken.encode(frame));
    return true;
  }

  #receive(frame) {
    this.#pulse.heard(frame.type);
    if (frame.room !== undefined) this.#ofRoom(frame);
    else if (frame.type === 'welcome') this.#welcome(frame);
    else if (frame.type === 'error') this.emit('error', new Refusal(frame.code, sentence(frame.message)));
  }

  // #ofRoom hands on what is about a room. Without a WebSocket this is what says who we are.
  #ofRoom(frame) {
    const room = this.#rooms.get(frame.room);
    if (this.#leaving.has(frame.room) && !frame.idempotency_key) {
      if (this.#leaving.isOut(frame)) room.join(); // if it was entered again meanwhile
      return;
    }
    if (frame.type === 'subscribed') {
      if (this.#socket.isPlain) this.#places.meet(frame.nodes);
      this.username = frame.username;
      this.verified = Boolean(frame.verified);
      this.maxContentBytes = frame.max_content_bytes;
    }
    room?.receive(frame);
  }

  #welcome(frame) {
    clearTimeout(this.#next);
    this.#openedAt = Date.now();
    this.#barred = this.#socket.isPlain;
    this.username = frame.username;
    this.verified = frame.verified;
    this.maxContentBytes = frame.max_content_bytes;
    this.maxRooms = frame.max_rooms ?? 0;
    this.#pulse.start(frame.ping_interval_ms);
    if (!this.#socket.isPlain) this.#places.meet(frame.nodes); // else the first room tells
    this.state = 'open';
    for (const room of this.rooms()) room.join();
    if (this.state === 'open') this.#to('open');
    if (this.state === 'open') this.emit('welcome', frame); // nobody stopped meanwhile
  }
}

// What looks like the WebSocket of GET /chat to a client and is none: each room is an event stream, and what is said is
// posted. It is for browsers that have no WebSocket, as those in which phones show the sign-in page of a Wi-Fi, and for networks
// that let none through.
//
// A browser has six connections to a server, of which each room takes one. Typing is not told.

const ROOMS = 3; // at once; the other connections are for what is said and asked
const PATIENCE = 15_000; // ms for an answer that has an end
const SENT = { message: 'POST', edit: 'PATCH', delete: 'DELETE' };
const OUT = new Set(['kicked', 'banned', 'room_closed']); // a moderator's, of one room

export class PlainSocket {
  isPlain = true;
  #base; #username; #headers;
  #streams = new Map(); // by room: what ends it
  #queue = Promise.resolve(); // what is said goes out one after the other
  #over = false;
  onopen = null;
  onmessage = null;
  onclose = null;

  // url is that of the WebSocket; a token is in its query, or among the protocols.
  constructor(url, protocols = []) {
    this.#base = new URL(url);
    this.#base.protocol = this.#base.protocol.replace('ws', 'http');
    const query = this.#base.searchParams;
    const offered = [protocols].flat().find((protocol) => protocol.startsWith('bearer.'));
    const token = query.get('token') ?? offered?.slice('bearer.'.length);
    this.#username = token ? '' : query.get('username') || 'Anonymous';
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.#base.search = '';
    this.#open();
  }

  send(text) {
    const frame = JSON.parse(text);
    if (frame.type === 'join') this.#join(frame);
    else if (frame.type === 'leave') this.#leave(frame.room);
    else if (frame.type === 'ping') this.#ping();
    else if (SENT[frame.type]) this.#queue = this.#queue.then(() => this.#say(frame));
  }

  close() { this.#end(1000, ''); }

  // #open asks what has the guards of a connection and changes nothing.
  async #open() {
    try {
      const answer = await this.#fetch('rooms', { method: 'HEAD', signal: AbortSignal.timeout?.(PATIENCE) });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    } catch {
      this.#end(1006, '');
      return;
    }
    if (this.#over) return;
    this.onopen?.();
    this.#tell({ type: 'welcome', username: this.#username, max_content_bytes: 0, max_rooms: ROOMS, ping_interval_ms: 0 });
  }

  async #join({ room, since, limit, announce = true }) {
    if (this.#streams.has(room)) return;
    if (this.#streams.size >= ROOMS) {
      queueMicrotask(() => this.#tell({ type: 'error', room, code: 'too_many_rooms', message: `without a WebSocket there may be ${ROOMS} rooms at once` }));
      return;
    }
    const ending = new AbortController();
    this.#streams.set(room, ending);
    try {
      const answer = await this.#fetch(`${path(room)}/events`, {
        query: { since, limit, announce: announce ? 1 : 0 }, headers: { Accept: 'text/event-stream' }, signal: ending.signal,
      });
      if (answer.ok) {
        await this.#read(room, answer.body.getReader());
      } else {
        this.#streams.delete(room);
        await this.#refused({ room }, answer);
        return;
      }
    } catch {
      // It was left, or the line is gone.
    }
    if (this.#streams.get(room) === ending) this.#end(1006, '');
  }

  // #read takes the frames of an event stream, each in one line. A line that begins with a colon says that the server is there.
  async #read(room, reader) {
    const decoder = new TextDecoder();
    for (let rest = ''; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith(':')) this.#tell({ type: 'pong' });
        else if (line.startsWith('data: ')) this.#came(room, JSON.parse(line.slice('data: '.length)));
      }
    }
  }

  #came(room, frame) {
    if (frame.type === 'gap') return; // subscribed has said so
    if (frame.type !== 'close') {
      this.#tell({ ...frame, room });
      return;
    }
    const [, code, message] = /^([a-z_]+): (.*)$/.exec(frame.reason) ?? [];
    if (!OUT.has(code)) {
      this.#end(frame.code, frame.reason);
      return;
    }
    this.#streams.delete(room);
    this.#tell({ type: 'error', room, code, message });
  }

  #leave(room) {
    this.#streams.get(room)?.abort();
    this.#streams.delete(room);
    queueMicrotask(() => this.#tell({ type: 'unsubscribed', room }));
  }

  async #say({ type, room, id, content, idempotency_key: key, author_key: author }) {
    if (this.#over) return;
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    if (author) headers['Author-Key'] = author;
    try {
      const answer = await this.#fetch(`${path(room)}/messages${id ? `/${encodeURIComponent(id)}` : ''}`, {
        method: SENT[type], headers, signal: AbortSignal.timeout?.(PATIENCE),
        ...(type === 'delete' ? {} : { body: JSON.stringify({ content, username: this.#username || undefined }) }),
      });
      if (!answer.ok) {
        await this.#refused({ room, idempotency_key: key }, answer);
        return;
      }
      const said = await answer.json();
      this.#tell({ type: 'ack', room, idempotency_key: key, id: said.id, offset: said.offset, durable: answer.status !== 202 });
    } catch {
      this.#end(1006, ''); // it is said again, under the same key
    }
  }

  async #ping() {
    const answer = await this.#fetch('rooms', { method: 'HEAD', signal: AbortSignal.timeout?.(PATIENCE) }).catch(() => null);
    if (answer) this.#tell({ type: 'pong' });
  }

  // #refused tells of an answer that is a no.
  async #refused(about, answer) {
    const { error } = await answer.json().catch(() => ({}));
    const code = error?.code ?? `http_${answer.status}`;
    const message = error?.message ?? `the server answers ${answer.status}`;
    if (!error && answer.status >= 500) this.#end(1006, ''); // of a proxy: the server is away
    else if (answer.status === 401) this.#end(1008, `${code}: ${message}`);
    else this.#tell({ type: 'error', ...about, code, message, retry_after_ms: Number(answer.headers.get('Retry-After')) * 1000 || undefined });
  }

  #fetch(below, { query = {}, headers = {}, ...options }) {
    const url = new URL(this.#base);
    url.pathname += `/${below}`;
    for (const [name, value] of Object.entries({ username: this.#username, ...query })) {
      if (value !== undefined && value !== '') url.searchParams.set(name, value);
    }
    return fetch(url, { ...options, headers: { ...this.#headers, ...headers }, cache: 'no-store' });
  }

  #tell(frame) {
    if (!this.#over) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  #end(code, reason) {
    if (this.#over) return;
    this.#over = true;
    for (const stream of this.#streams.values()) stream.abort();
    this.onclose?.({ code, reason });
  }
}

const path = (room) => `room/${encodeURIComponent(room)}`;

// The rooms that we go out of. Until the server has said that we are out, what comes of one is of the room that was left, and
// it cannot be entered again.

export class Leaving {
  #send;
  #rooms = new Map(); // by name: the timer to say it again, 0 if there is none

  // send sends a frame, or returns false where there is no connection.
  constructor(send) { this.#send = send; }

  has(room) { return this.#rooms.has(room); }

  leave(room) {
    clearTimeout(this.#rooms.get(room));
    if (this.#send({ type: 'leave', room })) this.#rooms.set(room, 0);
  }

  // isOut is told what came of a room, and returns whether we are out of it now. What we say is refused for a while, too.
  isOut({ type, room, code, retry_after_ms: ms }) {
    const out = type === 'unsubscribed' || code === 'not_joined';
    if (out || ms) clearTimeout(this.#rooms.get(room));
    if (out) this.#rooms.delete(room);
    else if (ms) this.#rooms.set(room, setTimeout(() => this.leave(room), ms));
    return out;
  }

  // clear forgets them: the connection has ended.
  clear() {
    for (const timer of this.#rooms.values()) clearTimeout(timer);
    this.#rooms.clear();
  }
}

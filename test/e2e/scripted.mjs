// A server that does what a test says, for what a real one does in a moment that no test can choose.

// scripted returns a WebSocket of it: answer(frame, tell) is called with each frame of the client, and tells others of that room.
export const scripted = (answer) => class {
  constructor() {
    setTimeout(() => {
      this.onopen();
      this.#tell({ type: 'welcome', username: 'Alice', max_content_bytes: 99, ping_interval_ms: 25_000 });
    });
  }

  close() {}

  send(text) {
    const frame = JSON.parse(text);
    setTimeout(() => answer(frame, (told) => this.#tell({ room: frame.room, message: 'as the test says', ...told })));
  }

  #tell(frame) { this.onmessage?.({ data: JSON.stringify(frame) }); }
};

// subscribed is what a room begins with.
export const subscribed = { type: 'subscribed', id: 'e-0', offset: 0, username: 'Alice', max_content_bytes: 99 };

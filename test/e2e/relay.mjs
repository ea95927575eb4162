// A line that can die: everything between a client and a server goes through it, and it stops forwarding when it is
// told to, as a router does that has lost its power: nobody is told that a connection has ended.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { away, later } from './harness.mjs';

export class Relay {
  #pairs = new Set();
  #held = false;
  #mute = false;
  #kept = null; // [to, data] of what servers say, while it is kept

  static async to(t, port) {
    const relay = new Relay();
    relay.server = createServer((near) => relay.#forward(near, port)).listen(0, '127.0.0.1');
    await once(relay.server, 'listening');
    later(t, () => relay.end());
    return relay;
  }

  get port() { return this.server.address().port; }
  get http() { return `http://127.0.0.1:${this.port}`; }

  #forward(near, port) {
    const far = connect(port, '127.0.0.1');
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', (data) => {
        if (pair.dead || this.#held || (this.#mute && from === near)) return;
        if (this.#kept && from === far) this.#kept.push([to, data]);
        else to.write(data);
      });
      from.on('error', () => {});
      from.on('close', () => {
        if (pair.dead || this.#held) return;
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  // hold forwards nothing from now on. What was sent meanwhile is lost, so those connections stay dead.
  hold() {
    this.#held = true;
    away.add(`127.0.0.1:${this.port}`);
    for (const pair of this.#pairs) pair.dead = true;
  }

  // mute forwards nothing of what clients say from now on.
  mute() { this.#mute = true; }

  // keep forwards nothing of what servers say until release; kept is how much that is.
  keep() { this.#kept = []; }

  get kept() { return this.#kept.length; }

  release() {
    for (const [to, data] of this.#kept) to.write(data);
    this.#kept = null;
  }

  resume() {
    this.#held = this.#mute = false;
  }

  end() {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    return new Promise((done) => { this.server.close(done); });
  }
}

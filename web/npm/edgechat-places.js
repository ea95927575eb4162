// Where the server is: the address that we were given, and those of others that have the same rooms, where we go in turn.

const NODES = 16; // addresses that one frame can name; kept are two more: where we are, and where we began

// baseOf returns the address of a server as URLs are resolved against it. It throws a TypeError for what is none.
const baseOf = (url) => new URL(`${url}`.replace(/^ws/, 'http').replace(/\/*$/, '/')).href;

export class Places {
  #home; // the address that we were given
  #all; // in the order in which they are tried; the first is where we are
  #tried = 0; // of these, since the last wait

  // url is the http(s) address of the server, with the path where a proxy has it.
  constructor(url) {
    this.#home = baseOf(url);
    this.#all = [this.#home];
  }

  // here is where we are, or try to be.
  get here() { return this.#all[0]; }

  get atHome() { return this.here === this.#home; }

  // next goes on to the next address. It returns false if all were tried by now.
  next() {
    this.#all.push(this.#all.shift());
    this.#tried = (this.#tried + 1) % this.#all.length;
    return this.#tried > 0;
  }

  // meet is told by a server where others have the same rooms. We go to those and our own alone, and from one with TLS to none without.
  meet(nodes = []) {
    const others = [];
    for (const node of Array.isArray(nodes) ? nodes.slice(0, NODES) : []) {
      try {
        const base = baseOf(node);
        if (base.startsWith('https:') || base.startsWith('http:') && this.#home.startsWith('http:')) others.splice(Math.random() * (others.length + 1), 0, base);
      } catch {
        // It is no address.
      }
    }
    this.#tried = 0;
    const known = new Set([this.here, this.#home, ...others, ...this.#all]); // one that is away now may be there again
    this.#all = [...known].slice(0, NODES + 2);
  }
}

// Where the server is, who we are to it, and what is asked over plain HTTP.

import { Refusal, sentence } from './edgechat-events.js';

const PATIENCE = 10_000; // ms; an answer that takes longer is given up

// baseOf returns the address of a server as URLs are resolved against it. It throws a TypeError for what is none.
export const baseOf = (url) => new URL(`${url}`.replace(/^ws/, 'http').replace(/\/*$/, '/')).href;

export class Http {
  #base; #username; #token;

  // url is the http(s) address of the server, with the path where a proxy has it.
  constructor(url, username, token) {
    this.at(baseOf(url));
    this.#username = token ? '' : username;
    this.#token = token;
  }

  // at has the server be at another address, one of baseOf.
  at(base) { this.#base = new URL(base); }

  // socket returns the address of the WebSocket, and the subprotocols to offer. A token is one of them rather than in the query,
  // which proxies log; what can be none is no token, and is told so by the query.
  socket(protocol) {
    const offered = /^[\w.~+-]+$/.test(this.#token);
    const url = this.#address('', { username: this.#username, token: offered ? '' : this.#token });
    url.protocol = url.protocol.replace('http', 'ws');
    return [url, offered ? [protocol, `bearer.${this.#token}`] : protocol];
  }

  // get asks for a path below /chat/.
  get(path, query = {}) {
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    return fetch(this.#address(path, { ...query, username: this.#username }), { headers, cache: 'no-store', signal: AbortSignal.timeout?.(PATIENCE) });
  }

  // read returns what the server answers, or throws a Refusal.
  async read(path, query) {
    const answer = await this.get(path, query);
    const body = await answer.json();
    if (!answer.ok) throw new Refusal(body.error?.code ?? `http_${answer.status}`, sentence(body.error?.message ?? `the server answers ${answer.status}`));
    return body;
  }

  #address(path, query) {
    const url = new URL(`chat${path ? `/${path}` : ''}`, this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value) url.searchParams.set(name, value);
    }
    return url;
  }
}

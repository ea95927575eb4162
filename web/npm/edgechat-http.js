// Who we are to the server, and what is asked over plain HTTP.

import { Refusal, sentence } from './edgechat-events.js';

const PATIENCE = 10_000; // ms; an answer that takes longer is given up

export class Http {
  #places; #username; #token;

  constructor(places, username, token) {
    this.#places = places;
    this.#username = token ? '' : username;
    this.#token = token;
  }

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
    const url = new URL(`chat${path ? `/${path}` : ''}`, this.#places.here);
    for (const [name, value] of Object.entries(query)) {
      if (value) url.searchParams.set(name, value);
    }
    return url;
  }
}

// Whether somebody is there: a connection of which nothing was heard for a while is asked, and given up unless it answers.

const ANSWER = 5_000; // ms to the answer of a ping
export const SOON = 3_000; // ms, when somebody looks or the network has changed
const INTERVAL = 25_000; // ms, where the server does not say what it is

export class Pulse {
  #ping; #dead;
  #interval = 0;
  #heardAt = 0;
  #silence = 0; // timer after which it is asked
  #answer = 0; // timer until which something must be heard
  #answerBy = 0; // when that ends
  #patience = 0; // ms that it has
  #asked = 0; // questions that #answer waits for

  // ping asks, or returns false where nobody can be asked. dead is called when there was no answer.
  constructor(ping, dead) {
    this.#ping = ping;
    this.#dead = dead;
  }

  // start is for a connection that has come about. It is asked after so many ms without anything.
  start(interval) {
    this.#interval = interval || INTERVAL;
    this.#heardAt = Date.now();
    this.#listen();
  }

  stop() {
    clearTimeout(this.#silence);
    this.#expect(0);
  }

  // heard is called with the type of each frame that came.
  heard(type) {
    this.#heardAt = Date.now();
    if (!this.#answer) return;
    this.#asked = type === 'error' ? 0 : this.#asked - (type === 'pong');
    this.#expect(this.#asked > 0 ? this.#patience : 0);
  }

  // ask gives the connection up unless it answers within ms. What comes before the answer, as those to earlier questions, was on its
  // way, maybe over a line that is dead by now; but while it comes, the answer may be behind it.
  ask(ms) {
    if (!this.#ping()) return;
    this.#asked = this.#answer ? this.#asked + 1 : 1;
    if (!this.#answer || this.#answerBy > Date.now() + ms) this.#expect(ms);
  }

  // #listen asks when nothing was heard for the interval. A timer that is far too late has slept with the device.
  #listen() {
    clearTimeout(this.#silence);
    const due = this.#heardAt + this.#interval;
    this.#silence = setTimeout(() => {
      if (Date.now() - this.#heardAt >= this.#interval) this.ask(Date.now() - due > ANSWER ? SOON : ANSWER);
      this.#listen();
    }, Math.max(due - Date.now(), 100, this.#answer ? this.#interval : 0));
  }

  // #expect gives the connection up unless something is heard within ms, 0 not.
  #expect(ms) {
    clearTimeout(this.#answer);
    this.#patience = ms;
    this.#answerBy = Date.now() + ms;
    this.#answer = ms && setTimeout(this.#dead, ms);
  }
}

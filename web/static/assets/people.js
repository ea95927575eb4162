// Who is in the room that is shown: people, each once, however many tabs they have. And who types.

import { element, nameElement } from './item.js';
import { t, collator } from './strings.js';

const TYPING_SHOWN = 4_000; // ms after the last sign of it
const TRIES = 3; // while people come and go between a question and its answer

export class People {
  #room; #changed;
  #counts = null; // connections by name; null until the server has said who is here
  #happened = 0;
  #typists = new Map(); // name to timer
  #asking = false;

  constructor(room, changed) {
    this.#room = room;
    this.#changed = changed;
  }

  get known() { return this.#counts !== null; }

  get names() { return [...this.#counts?.keys() ?? []].sort(collator().compare); }

  get typing() { return [...this.#typists.keys()]; }

  forget() {
    this.#counts = null;
    for (const timer of this.#typists.values()) clearTimeout(timer);
    this.#typists.clear();
  }

  // load asks who is here. One who joins a room of a thousand makes a thousand pages ask: they spread out.
  async load(members = 0) {
    if (this.#asking) return;
    this.#asking = true;
    try {
      await new Promise((later) => { setTimeout(later, Math.random() * Math.min(5_000, members)); });
      for (let n = 0; n < TRIES; n++) {
        const before = this.#happened;
        const list = await this.#room.members();
        this.#counts = new Map(list.map((member) => [member.username, member.connections]));
        if (before === this.#happened) break;
      }
      this.#changed();
    } catch {
      // The list stays as it was; the next connection asks again.
    } finally {
      this.#asking = false;
    }
  }

  // event is told of a connection that came or went. It returns whether with it a person did.
  event({ type, username }) {
    this.#happened++;
    if (type === 'left') this.#stopTyping(username);
    if (!this.#counts) return false;
    const count = this.#counts.get(username) ?? 0;
    const now = Math.max(0, count + (type === 'joined' ? 1 : -1));
    if (now > 0) this.#counts.set(username, now);
    else this.#counts.delete(username);
    const isPerson = count === 0 || now === 0;
    if (isPerson) this.#changed();
    return isPerson;
  }

  typed(username) {
    clearTimeout(this.#typists.get(username));
    this.#typists.set(username, setTimeout(() => this.#stopTyping(username), TYPING_SHOWN));
    this.#changed();
  }

  said(username) { this.#stopTyping(username); }

  #stopTyping(username) {
    if (!this.#typists.has(username)) return;
    clearTimeout(this.#typists.get(username));
    this.#typists.delete(username);
    this.#changed();
  }
}

export function showPeople(list, names) {
  list.replaceChildren(...names.map((name) => element('li', '', nameElement(name))));
}

// typingText returns parts of a line: who types.
export function typingParts(names) {
  if (names.length === 0) return [];
  if (names.length > 2) return [t('manyTyping')];
  const parts = [nameElement(names[0])];
  if (names[1]) parts.push(` ${t('and')} `, nameElement(names[1]));
  parts.push(` ${t(names[1] ? 'areTyping' : 'isTyping')}`);
  return parts;
}

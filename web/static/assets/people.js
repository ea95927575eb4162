// Who is in the room that is shown: people, each once, however many tabs they have. And who types.

import { element, personElement } from './item.js';
import { t, collator } from './strings.js';

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const TYPING_SHOWN = 4_000; // ms after the last sign of it
const TRIES = 3; // questions one after the other, while people come and go between each and its answer
const DOUBT = 2_000; // ms after an answer, in which an event may be of before it: they come by different ways
const AGAIN = [1_000, 300_000]; // ms until it is asked again after a doubtful answer or none, at first and at most
const EARLY_MAX = 1_000; // who came and went before the answer, and is told of then

// keyOf tells a person from a namesake whose name is no token's, or is.
export const keyOf = ({ username, verified }) => verified ? `${username}\n` : username; // no name has a line feed

export class People {
  #room; #changed; #note;
  #counts = null; // connections by name; null until the server has said who is here
  #early = []; // what happened since the question: [name, type, at]
  #happened = 0;
  #typists = new Map(); // name to timer
  #asks = 0; // calls of load and forget; an answer to another than the last one is of no use

  // changed is called when it is another list than before, and note(name, type, at) when a person came or went; at is what
  // event was told.
  constructor(room, changed, note) {
    this.#room = room;
    this.#changed = changed;
    this.#note = note;
  }

  get known() { return this.#counts !== null; }

  get names() { return [...this.#counts?.keys() ?? []].sort(collator().compare); }

  get typing() { return [...this.#typists.keys()]; }

  forget() {
    this.#asks++;
    this.#counts = null;
    this.#early = [];
    for (const timer of this.#typists.values()) clearTimeout(timer);
    this.#typists.clear();
  }

  // load asks who is here, until nothing has happened from a question until some time after its answer: from then on the events
  // are all that is needed. One who joins a room of a thousand makes a thousand pages ask: they spread out.
  async load(members = 0) {
    const asked = ++this.#asks;
    const isLast = () => asked === this.#asks && this.#room.state !== 'ended';
    await sleep(Math.random() * Math.min(5_000, members));
    for (let n = 1, wait = AGAIN[0]; isLast(); n++) {
      const before = this.#happened;
      const list = await this.#room.members().catch(() => null);
      if (!isLast()) return;
      if (list) {
        if (before !== this.#happened && n < TRIES) continue;
        this.#know(new Map(list.map((member) => [keyOf(member), member.connections])));
        await sleep(DOUBT);
        if (before === this.#happened) return;
      }
      await sleep(wait * (0.5 + Math.random()));
      wait = Math.min(2 * wait, AGAIN[1]);
    }
  }

  // #know is told how many connections each has now, and with it, who it was that came or went since the question.
  #know(counts) {
    if (!this.#counts) {
      const first = new Map(counts);
      for (const [name, type] of this.#early) first.set(name, (first.get(name) ?? 0) + (type === 'joined' ? -1 : 1));
      for (const [name, type, at] of this.#early) this.#step(first, name, type, at);
      this.#early = [];
    }
    this.#counts = counts;
    this.#changed();
  }

  // event is told of a connection that came or went, and where in the room's order that was.
  event(frame, at) {
    const { type } = frame;
    const name = keyOf(frame);
    this.#happened++;
    if (type === 'left') this.#stopTyping(name);
    if (!this.#counts) {
      if (this.#early.length < EARLY_MAX) this.#early.push([name, type, at]);
      return;
    }
    if (this.#step(this.#counts, name, type, at)) this.#changed();
  }

  // #step counts a connection, and returns whether with it a person came or went.
  #step(counts, name, type, at) {
    const count = Math.max(0, counts.get(name) ?? 0);
    const now = Math.max(0, count + (type === 'joined' ? 1 : -1));
    if (now > 0) counts.set(name, now);
    else counts.delete(name);
    const isPerson = count === 0 || now === 0;
    if (isPerson) this.#note(name, type, at);
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
  list.replaceChildren(...names.map((name) => element('li', '', personElement(name))));
}

// typingText returns parts of a line: who types.
export function typingParts(names) {
  if (names.length === 0) return [];
  if (names.length > 2) return [t('manyTyping')];
  const parts = [personElement(names[0])];
  if (names[1]) parts.push(` ${t('and')} `, personElement(names[1]));
  parts.push(` ${t(names[1] ? 'areTyping' : 'isTyping')}`);
  return parts;
}

// What was said in one room, as far as this page has it: messages in the order of their offsets, who came and went
// between them, and what we say that is not acknowledged yet, which stays at the end. The view that shows it, if
// there is one, is told of every change.
//
// An item is {kind, ...}: 'message' with id, offset, username, content, date and what is said of it; 'own' with the
// entry of the client; 'note' with people, who came or went; 'gap'.

import { addOwn, isOwn } from './kept.js';

const KEPT = 400; // items of a room that nobody scrolls in
const PAGE = 100; // messages that are read at once from the history

// nobody looks
const unseen = { added() {}, changed() {}, removed() {}, prepended() {}, reset() {} };

export class Timeline {
  #room; #client; #loading = false;
  #byId = new Map();
  items = [];
  own = []; // items of kind own
  complete = false; // there is nothing older
  view = unseen;

  constructor(room, client) {
    this.#room = room;
    this.#client = client;
  }

  show(view) {
    this.view = view ?? unseen;
    if (!view) this.trim();
  }

  // subscribed is told where a new connection stands. What we have beyond that was lost by the server before it was on disk.
  subscribed(frame) {
    this.#forget((item) => item.offset > frame.offset);
    if (!frame.oldest) this.complete = true;
  }

  // message adds what was said, and returns its item.
  message(frame) {
    const known = this.#byId.get(frame.id);
    if (known) {
      Object.assign(known, itemOf(frame), { mine: known.mine });
      this.view.changed(known);
      return known;
    }
    this.#forget((item) => item.offset >= frame.offset); // the same
    const item = itemOf(frame);
    item.mine = this.#isMine(frame);
    this.#claim(item);
    this.#insert(item);
    return item;
  }

  // revised is told that a message says something else now. One that has left the page is nobody's loss.
  revised(frame) {
    const item = this.#byId.get(frame.target);
    if (!item) return;
    if (frame.type === 'deleted' || frame.deleted) item.deleted = true;
    else Object.assign(item, { content: frame.content, edited: true });
    this.view.changed(item);
  }

  gap() {
    this.#append({ kind: 'gap' });
  }

  // note tells of somebody who came or went when at was the newest offset. Those between two messages are one item, and who
  // came and went is in none.
  note(name, type, at) {
    let end = this.items.length;
    while (end > 0 && this.items[end - 1].offset > at) end--;
    const last = this.items[end - 1];
    if (last?.kind !== 'note') {
      const item = { kind: 'note', people: new Map([[name, type]]) };
      this.items.splice(end, 0, item);
      this.view.added(item);
      return;
    }
    if (last.people.has(name) && last.people.get(name) !== type) last.people.delete(name);
    else last.people.set(name, type);
    if (last.people.size > 0) {
      this.view.changed(last);
    } else {
      this.items.splice(end - 1, 1);
      this.view.removed(last);
    }
  }

  pending(entry) {
    if (entry.type !== 'message') {
      this.#saving(entry, true);
      return;
    }
    const known = this.own.find((item) => item.entry === entry);
    if (known) {
      this.view.changed(known);
      return;
    }
    const item = { kind: 'own', entry, mine: true, username: this.#client.username, content: entry.content, date: null, as: null };
    this.own.push(item);
    this.view.added(item);
  }

  acked(entry, frame) {
    if (entry.type !== 'message') {
      this.#saving(entry, false);
      return;
    }
    addOwn(this.#room.name, frame.id);
    const item = this.own.find((item) => item.entry === entry);
    if (!item) return;
    this.own.splice(this.own.indexOf(item), 1);
    const claimed = item.as;
    if (!claimed) this.view.removed(item);
    if (claimed && claimed.id !== frame.id) { // somebody of our name has said the same
      Object.assign(claimed, { waits: null, mine: false });
      this.view.changed(claimed);
    }
    const message = this.#byId.get(frame.id) ?? itemOf({
      id: frame.id, offset: frame.offset, username: this.#client.username, content: entry.content, timestamp: Date.now(), verified: this.#client.verified });
    Object.assign(message, { mine: true, waits: null, volatile: !frame.durable });
    if (this.#byId.has(frame.id)) this.view.changed(message);
    else this.#insert(message);
  }

  failed(entry) {
    if (entry.type !== 'message') {
      this.#saving(entry, false);
      return;
    }
    if (!this.own.some((item) => item.entry === entry)) this.pending(entry);
    const item = this.own.find((item) => item.entry === entry);
    if (item.as) this.#release(item.as);
    this.view.changed(item);
  }

  discard(item) {
    this.own.splice(this.own.indexOf(item), 1);
    this.view.removed(item);
  }

  // ours is told that another tab of this browser said a message.
  ours(id) {
    const item = this.#byId.get(id);
    if (!item || item.mine) return;
    item.mine = true;
    this.view.changed(item);
  }

  // older reads what was said before. It returns whether there may be more.
  async older() {
    if (this.complete || this.#loading) return !this.complete;
    const first = this.items.find((item) => item.kind === 'message');
    if (!first) return true;
    this.#loading = true;
    try {
      const before = this.before ?? first.id;
      const page = await this.#room.history({ before, limit: PAGE });
      const frames = page.messages.filter((frame) => frame.type === 'message' && !this.#byId.has(frame.id));
      if (page.messages.length === 0 || page.messages[0].id === page.oldest) this.complete = true;
      this.before = page.messages[0]?.id; // which may be an edit, and no item
      const items = frames.map((frame) => Object.assign(itemOf(frame), { mine: this.#isMine(frame) }));
      for (const item of items) this.#byId.set(item.id, item);
      this.items.unshift(...items);
      this.view.prepended(items);
    } catch (error) {
      if (error.code === 'not_found' || error.code === 'forbidden') this.complete = true;
      else await new Promise((later) => { setTimeout(later, 2_000); });
    } finally {
      this.#loading = false;
    }
    return !this.complete;
  }

  // trim lets go of what is far from the end; it can be read again.
  trim() {
    if (this.items.length <= KEPT * 1.5) return;
    const gone = this.items.splice(0, this.items.length - KEPT);
    for (const item of gone) {
      if (item.id) this.#byId.delete(item.id);
      this.view.removed(item);
    }
    this.complete = false;
    this.before = undefined;
  }

  #isMine(frame) {
    return isOwn(this.#room.name, frame.id) || Boolean(this.#client.verified && frame.verified && frame.username === this.#client.username);
  }

  // #claim takes a message for one of ours that waits with the same words. Frames carry no key: the acknowledgement, which
  // comes later, says whether it was right.
  #claim(item) {
    if (item.username !== this.#client.username || item.mine) return;
    const own = this.own.find((own) => !own.as && own.entry.sent && own.content === item.content);
    if (!own) return;
    Object.assign(item, { mine: true, waits: own });
    own.as = item;
    this.view.removed(own);
  }

  // #release gives back what was taken for ours.
  #release(item) {
    const own = item.waits;
    item.waits = null;
    if (!own) return;
    own.as = null;
    this.view.added(own);
  }

  // #forget removes messages that the server lost.
  #forget(isLost) {
    for (let n = this.items.length - 1; n >= 0; n--) {
      const item = this.items[n];
      if (item.kind !== 'message') continue;
      if (!isLost(item)) break;
      this.items.splice(n, 1);
      this.#byId.delete(item.id);
      this.view.removed(item);
      this.#release(item);
    }
  }

  #insert(item) {
    this.#byId.set(item.id, item);
    let at = this.items.length;
    for (let n = at - 1; n >= 0; n--) {
      if (this.items[n].kind !== 'message') continue;
      if (this.items[n].offset < item.offset) break;
      at = n;
    }
    this.items.splice(at, 0, item);
    this.view.added(item);
    if (!this.view.keepsAll) this.trim();
  }

  #append(item) {
    this.items.push(item);
    this.view.added(item);
  }

  #saving(entry, on) {
    const item = this.#byId.get(entry.id);
    if (!item) return;
    item.saving = on;
    this.view.changed(item);
  }
}

function itemOf(frame) {
  return {
    kind: 'message', id: frame.id, offset: frame.offset, username: frame.username, content: frame.content ?? '', date: new Date(frame.timestamp),
    verified: Boolean(frame.verified), edited: Boolean(frame.edited), deleted: Boolean(frame.deleted),
  };
}

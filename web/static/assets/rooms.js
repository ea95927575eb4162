// The rooms that somebody is in: each with its timeline, its people, how much of it is unread, and its line in the list.

import { formOf } from './edgechat.js';
import { element, nameElement } from './item.js';
import { get, getJSON, set, setJSON } from './kept.js';
import { notice } from './notice.js';
import { People, keyOf } from './people.js';
import { t } from './strings.js';
import { when } from './time.js';
import { Timeline } from './timeline.js';

const FIRST = 50; // messages that a room begins with
const REFUSED_WRITE = new Set(['forbidden', 'read_only']);

// A Place is one room as this page has it.
class Place {
  unread = 0;
  last = null; // the newest item
  head = 0; // the greatest offset that is known
  readOnly = false;
  access = 'write'; // or read, or moderate
  joined = false;
  #announced = false; // to others, on this connection

  constructor(name, client, on) {
    this.name = name;
    this.on = on;
    this.room = client.join(name, { since: 'all', limit: FIRST });
    this.timeline = new Timeline(this.room, client);
    this.people = new People(this.room, () => on.people(this), (...who) => this.timeline.note(...who));
    const { room, timeline } = this;
    room.on('subscribed', (frame) => this.#subscribed(frame));
    room.on('message', (frame, live) => this.#said(frame, live));
    room.on('revised', (frame) => {
      this.head = Math.max(this.head, frame.offset);
      timeline.revised(frame);
      on.changed(this);
    });
    room.on('event', (frame) => this.#event(frame));
    room.on('gap', () => timeline.gap());
    room.on('pending', (entry) => timeline.pending(entry));
    room.on('acked', (entry, frame) => {
      this.head = Math.max(this.head, frame.offset);
      timeline.acked(entry, frame);
      if (entry.type === 'message') this.#setReadOnly(false);
    });
    room.on('failed', (entry) => {
      timeline.failed(entry);
      if (entry.type !== 'message') notice(t('refused', { why: entry.failed }));
      else if (REFUSED_WRITE.has(entry.code)) this.#setReadOnly(true);
    });
    room.on('error', (refusal) => {
      if (REFUSED_WRITE.has(refusal.code)) this.#setReadOnly(true);
      else notice(refusal.message);
    });
    room.on('ended', (refusal) => on.ended(this, refusal));
  }

  // read is the offset up to which this browser has seen the room; -1 where it never was in it.
  get read() { return Number(get(`read.${this.name}`, '-1')); }

  // seen says that all of it was.
  seen() {
    if (this.unread === 0 && this.read === this.head) return;
    this.unread = 0;
    set(`read.${this.name}`, String(this.head));
    this.on.changed(this);
  }

  #subscribed(frame) {
    this.joined = true;
    this.#announced = false;
    this.access = frame.access;
    this.#setReadOnly(frame.access === 'read' || REFUSED_WRITE.has(frame.refused));
    this.head = frame.offset;
    // Somebody new has missed nothing; and a server may have lost, or been given, another history.
    if (this.read < 0 || this.read > frame.offset) set(`read.${this.name}`, String(frame.offset));
    this.timeline.subscribed(frame);
    this.people.forget();
    this.on.subscribed(this, frame);
  }

  #said(frame, live) {
    const isNew = frame.offset > this.read;
    this.head = Math.max(this.head, frame.offset);
    const item = this.timeline.message(frame);
    this.last = item;
    this.people.said(keyOf(frame));
    if (isNew && !item.mine && !item.deleted) {
      this.unread++;
      this.on.unread(this, item, live);
    }
    this.on.changed(this);
  }

  #event(frame) {
    if (frame.type === 'typing') {
      if (keyOf(frame) !== this.on.me()) this.people.typed(keyOf(frame));
    } else if (this.#announced || keyOf(frame) !== this.on.me()) {
      this.people.event(frame, this.head);
    } else {
      this.#announced = true; // that it is us who came
    }
  }

  #setReadOnly(on) {
    if (this.readOnly === on) return;
    this.readOnly = on;
    this.on.changed(this);
  }
}

export class Rooms {
  #client; #on;
  #places = new Map(); // by name

  // on has the functions that a Place calls: changed, unread, people, subscribed, ended, me.
  constructor(client, on) {
    this.#client = client;
    this.#on = on;
  }

  static kept() {
    return getJSON('rooms', []).filter((name) => typeof name === 'string');
  }

  static keep(name) {
    if (!Rooms.kept().includes(name)) setJSON('rooms', [...Rooms.kept(), name]);
  }

  // hold keeps a room until another is left, if it can be one. It returns what to say of that.
  async hold(name) {
    try {
      await this.#client.request(`room/${encodeURIComponent(name)}/members`);
    } catch (error) {
      return error.name === 'Refusal' ? error.message : t('offline');
    }
    Rooms.keep(name);
    return t('full', { n: this.#client.maxRooms, room: name });
  }

  // full says that there may be no more.
  get full() { return this.#client.maxRooms > 0 && this.#places.size >= this.#client.maxRooms; }

  get all() { return [...this.#places.values()]; }

  get unread() { return this.all.reduce((sum, place) => sum + place.unread, 0); }

  get(name) { return this.#places.get(name); }

  enter(wanted) {
    const name = formOf(wanted);
    let place = this.#places.get(name);
    if (!place) {
      place = new Place(name, this.#client, this.#on);
      this.#places.set(name, place);
    }
    Rooms.keep(name);
    return place;
  }

  // others returns of the rooms that there are, and of those that were not left, the ones that we are not in.
  others(there) {
    const kept = Rooms.kept().filter((name) => !there.some(({ room }) => room === name));
    return [...kept.map((room) => ({ room, members: 0 })), ...there].filter(({ room }) => !this.get(room));
  }

  // enterKept enters those that were not left, as far as there may be as many.
  enterKept() {
    for (const name of Rooms.kept()) {
      if (!this.full) this.enter(name);
    }
  }

  // leave goes out of a room for good.
  leave(name) {
    const place = this.#places.get(name);
    this.#places.delete(name);
    setJSON('rooms', Rooms.kept().filter((kept) => kept !== name));
    place?.room.leave();
  }

  // forget removes a room that has ended from the page, and keeps it among those to come back to.
  forget(name) { this.#places.delete(name); }
}

// showRooms fills the list: those with news first.
export function showRooms(list, places, current, choose) {
  const order = [...places].sort((a, b) => (b.last?.date ?? 0) - (a.last?.date ?? 0));
  list.replaceChildren(...order.map((place) => {
    const button = element('button', 'room-line');
    button.type = 'button';
    if (place.name === current) button.setAttribute('aria-current', 'page');
    const { last } = place;
    const head = element('span', 'room-head', element('bdi', 'room-name', place.name));
    if (last) head.append(element('time', '', when(last.date)));
    const line = element('span', 'room-last');
    if (last) line.append(nameElement(last.username, last.verified), `: ${last.deleted ? t('deleted') : last.content}`);
    const tail = element('span', 'room-tail', line);
    if (place.unread > 0) {
      const badge = element('span', 'badge', place.unread > 99 ? '99+' : String(place.unread));
      badge.setAttribute('aria-label', t('unreadRoom', { n: place.unread }));
      badge.setAttribute('role', 'img');
      tail.append(badge);
    }
    button.append(head, tail);
    button.addEventListener('click', () => choose(place.name));
    return element('li', '', button);
  }));
}

// showOthers fills the list of rooms that there are besides.
export function showOthers(list, rooms, choose) {
  list.replaceChildren(...rooms.map(({ room, members }) => {
    const button = element('button', 'room-line', element('bdi', 'room-name', room), ' ', element('span', 'soft', t('members', { n: members })));
    button.type = 'button';
    button.addEventListener('click', () => choose(room));
    return element('li', '', button);
  }));
}

// The list of messages on the page: history, live ones, and those of ours that are
// still under way, which stay at its end.
//
// What others wrote becomes text by textContent alone, never markup.

const ITEMS_MAX = 1_000; // what a phone scrolls with ease; older ones leave the page
const GROUP = 5 * 60_000; // ms; messages of one author within it share a headline
const QUIET = 500; // ms without a message after which a replay is over

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export class Log {
  #list; #newer;
  #own = new Map(); // by key: {item, entry, id} of what waits for its acknowledgement
  #items = new Map(); // by id of the message
  #day = '';
  #busy = 0; // timer
  me = ''; // the name under which the server knows us

  constructor(list, newer) {
    this.#list = list;
    this.#newer = newer;
    newer.addEventListener('click', () => this.#toEnd());
    list.addEventListener('scroll', () => { if (this.#atEnd()) newer.hidden = true; });
  }

  clear() {
    this.#list.replaceChildren();
    this.#own.clear();
    this.#items.clear();
    this.#day = '';
    this.#newer.hidden = true;
  }

  // replaying keeps a screen reader from reading the history aloud.
  replaying() {
    this.#list.setAttribute('aria-busy', 'true');
    clearTimeout(this.#busy);
    this.#busy = setTimeout(() => this.#list.setAttribute('aria-busy', 'false'), QUIET);
  }

  // resumed is told of a new connection. What was not acknowledged is sent again and may
  // come back under another id, if the server lost it: it counts as under way once more.
  resumed() {
    for (const own of this.#own.values()) {
      this.#items.delete(own.id);
      own.id = '';
      this.#add(own.item, null);
    }
    this.replaying();
  }

  message(frame, live) {
    if (!live) this.replaying();
    const item = this.#items.get(frame.id) ?? this.#claim(frame) ?? newItem(frame.username === this.me);
    const date = new Date(frame.timestamp);
    this.#items.set(frame.id, item);
    item.dataset.id = frame.id;
    item.dataset.time = date.getTime();
    fill(item, frame.username, frame.content, date);
    if (frame.edited || frame.deleted) change(item, frame);
    this.#separate(date);
    this.#add(item, this.#firstWaiting());
  }

  // revised is told that a message says something else now. One that has left the page is nobody's loss.
  revised(frame) {
    const item = this.#items.get(frame.target);
    if (item) change(item, frame);
  }

  note(text, kind = 'note') {
    const item = document.createElement('li');
    item.className = kind;
    item.textContent = text;
    this.#add(item, this.#firstWaiting());
  }

  pending(entry) {
    const item = newItem(true);
    item.classList.add('pending');
    fill(item, this.me, entry.content, null);
    say(item, 'sending…');
    this.#own.set(entry.key, { item, entry, id: '' });
    this.#add(item, null);
    this.#toEnd();
  }

  acked(entry, frame) {
    const own = this.#own.get(entry.key);
    if (!own) return;
    this.#own.delete(entry.key);
    if (!own.id && this.#items.has(frame.id)) {
      own.item.remove(); // it came by without being taken for ours
      return;
    }
    if (!own.id) this.#items.set(frame.id, own.item); // it is still to come
    own.item.classList.remove('pending');
    say(own.item, frame.durable ? '' : 'not on disk');
  }

  failed(entry, text) {
    const own = this.#own.get(entry.key);
    if (!own) return;
    this.#own.delete(entry.key);
    own.item.classList.replace('pending', 'failed');
    say(own.item, `not sent: ${text}`);
  }

  // #claim finds the item of ours that this message is. Frames carry no key, so the
  // oldest that waits with the same words is taken; whether it was really that one
  // makes no difference to who reads.
  #claim(frame) {
    if (frame.username !== this.me) return undefined;
    for (const own of this.#own.values()) {
      if (!own.id && own.entry.sent && own.entry.content === frame.content) {
        own.id = frame.id;
        return own.item;
      }
    }
    return undefined;
  }

  #firstWaiting() {
    for (const own of this.#own.values()) {
      if (!own.id) return own.item;
    }
    return null;
  }

  #separate(date) {
    const day = calendar.format(date);
    if (day === this.#day) return;
    if (this.#day || day !== calendar.format(new Date())) this.note(day, 'day');
    this.#day = day;
  }

  // #add puts item before another, or at the end, and follows it if the reader was at the end.
  #add(item, before) {
    const follow = this.#atEnd();
    this.#list.insertBefore(item, before === item ? item.nextSibling : before);
    const previous = item.previousElementSibling;
    item.classList.toggle('follows', item.classList.contains('message') && previous?.dataset.author === item.dataset.author &&
      (item.dataset.time ?? Date.now()) - (previous.dataset.time ?? Date.now()) < GROUP);
    while (this.#list.childElementCount > ITEMS_MAX) {
      this.#items.delete(this.#list.firstElementChild.dataset.id);
      this.#list.firstElementChild.remove();
    }
    if (follow) this.#toEnd();
    else this.#newer.hidden = false;
  }

  #atEnd() {
    return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#newer.hidden = true;
  }
}

function newItem(mine) {
  const item = document.createElement('li');
  item.className = mine ? 'message mine' : 'message';
  for (const part of ['head', 'text', 'status']) {
    item.append(document.createElement('div'));
    item.lastChild.className = part;
  }
  item.firstChild.append(document.createElement('bdi'), document.createElement('time'));
  item.children[1].dir = 'auto';
  return item;
}

function fill(item, author, content, date) {
  const [name, time] = item.querySelector('.head').children;
  item.dataset.author = name.textContent = author;
  name.style.setProperty('--hue', hueOf(author));
  item.querySelector('.text').textContent = content;
  if (date) {
    time.textContent = clock.format(date);
    time.dateTime = date.toISOString();
    time.title = date.toLocaleString();
  }
}

// change has an item say what frame, which is about it, says that it does now.
function change(item, frame) {
  const deleted = frame.deleted || frame.type === 'deleted';
  item.dataset.now = deleted ? 'deleted' : 'edited';
  item.querySelector('.text').textContent = deleted ? 'deleted' : frame.content;
}

function say(item, text) {
  item.querySelector('.status').textContent = text;
}

// One author, one color, on every page and after every reload.
function hueOf(name) {
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  return hash % 360;
}

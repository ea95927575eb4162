// The list of messages on the page. It shows one timeline, follows what is new while the reader is at the end, keeps
// still while older messages come in above, and lets go of nothing that somebody reads.

import { element, fill, place } from './item.js';
import { t } from './strings.js';

const NEAR = 40; // px from the end at which a reader is there
const AHEAD = 800; // px from the top at which older messages are read
const QUIET = 500; // ms without a message after which a replay is over

export class Log {
  #box; #list; #newer; #beginning;
  #nodes = new Map(); // by item
  #items = new WeakMap(); // by element
  #timeline = null;
  #follow = true;
  #height = 0; // of the box, when it was last looked at
  #busy = 0; // timer
  #reading = false;
  #unreadAfter = Infinity; // offset behind which what is unread begins
  #unread; // the first item of it
  onEnd = () => {}; // called when the reader is at the end

  constructor() {
    [this.#box, this.#list, this.#newer, this.#beginning] = ['log', 'items', 'newer', 'beginning'].map((id) => document.getElementById(id));
    this.#newer.addEventListener('click', () => this.toEnd());
    this.#box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    // The box shrinks when the keyboard comes up or a draft grows; the list grows when a font is loaded or a text unfolds.
    const observer = new ResizeObserver(() => {
      this.#height = this.#box.clientHeight;
      if (this.#follow) this.toEnd();
    });
    observer.observe(this.#box);
    observer.observe(this.#list);
    this.#box.addEventListener('copy', (event) => this.#copy(event));
  }

  get keepsAll() { return !this.#follow; }

  get timeline() { return this.#timeline; }

  itemOf(element) { return this.#items.get(element.closest('li')); }

  // show has the log show a timeline from its end. What has a greater offset than unreadAfter is unread.
  show(timeline, unreadAfter = Infinity) {
    this.#timeline?.show(null);
    this.#timeline = timeline;
    this.#unreadAfter = unreadAfter;
    this.#follow = true;
    this.reset();
    timeline?.show(this);
  }

  // reset makes all elements anew.
  reset() {
    this.#nodes.clear();
    const nodes = this.#timeline ? [...this.#timeline.items, ...this.#timeline.own.filter((own) => !own.as)].map((item) => this.#node(item)) : [];
    this.#list.replaceChildren(...nodes);
    for (const node of nodes) this.#place(node);
    this.#unread = undefined;
    if (this.#timeline) this.#mark();
    this.#showBeginning();
    this.replaying();
    if (this.#follow) this.toEnd();
    this.#fillTop();
  }

  // unreadFrom moves the line: the reader has looked away, or is back.
  unreadFrom(offset) {
    this.#unreadAfter = offset;
    this.#mark();
  }

  // replaying keeps a screen reader from reading the history aloud.
  replaying() {
    this.#box.setAttribute('aria-busy', 'true');
    clearTimeout(this.#busy);
    this.#busy = setTimeout(() => {
      this.#box.setAttribute('aria-busy', 'false');
      if (!this.#unread && !document.hidden) this.#unreadAfter = Infinity;
      this.#showBeginning();
      this.#fillTop();
    }, QUIET);
  }

  added(item) {
    const node = this.#node(item);
    this.#list.insertBefore(node, this.#after(item));
    this.#place(node);
    if (node.nextElementSibling) this.#place(node.nextElementSibling);
    if (item.kind === 'message') {
      if (this.#timeline.complete) this.#showBeginning();
      if (!this.#follow && !item.mine && this.#unreadAfter === Infinity) this.#unreadAfter = item.offset - 1;
      this.#mark();
    }
    if (item.kind === 'own' && !item.entry.failed) this.toEnd();
    else if (this.#follow) this.toEnd();
    else if (item.kind === 'message') this.#newer.hidden = false;
  }

  changed(item) {
    const node = this.#nodes.get(item);
    if (!node) return;
    fill(node, item);
    this.#place(node);
  }

  removed(item) {
    const node = this.#nodes.get(item);
    if (!node) return;
    const next = node.nextElementSibling;
    node.remove();
    this.#nodes.delete(item);
    if (next) this.#place(next);
    if (item === this.#unread) this.#mark();
  }

  // prepended keeps in place what the reader looks at.
  prepended(items) {
    const below = this.#box.scrollHeight - this.#box.scrollTop;
    const first = this.#list.firstElementChild;
    const nodes = items.map((item) => this.#node(item));
    this.#list.prepend(...nodes);
    for (const node of nodes) this.#place(node);
    if (first) this.#place(first);
    this.#mark();
    this.#showBeginning();
    this.#box.scrollTop = this.#box.scrollHeight - below;
  }

  toEnd() {
    this.#follow = true;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#newer.hidden = true;
    this.onEnd();
  }

  // find returns the elements of the messages that hold a text, oldest first.
  find(text) {
    const wanted = text.toLocaleLowerCase();
    return [...this.#list.querySelectorAll('.message')].filter((node) => {
      const item = this.#items.get(node);
      return wanted && !item.deleted && `${item.username}\n${item.content}`.toLocaleLowerCase().includes(wanted);
    });
  }

  // reveal scrolls to a message.
  reveal(node) {
    this.#follow = false;
    node.scrollIntoView({ block: 'center' });
  }

  #node(item) {
    const node = element('li');
    this.#nodes.set(item, node);
    this.#items.set(node, item);
    fill(node, item);
    return node;
  }

  // #place heeds what stands before a message.
  #place(node) {
    let before = node.previousElementSibling;
    while (before && !before.classList.contains('message')) before = before.previousElementSibling;
    const item = this.#items.get(node);
    place(node, item, before && this.#items.get(before), item === this.#unread);
  }

  // #mark moves the line to where what is unread begins.
  #mark() {
    const first = this.#unreadAfter === Infinity ? undefined : this.#timeline.items.find((item) => item.offset > this.#unreadAfter && !item.mine);
    if (first === this.#unread) return;
    const nodes = [this.#nodes.get(this.#unread), this.#nodes.get(first)];
    this.#unread = first;
    for (const node of nodes) if (node) this.#place(node);
  }

  // #after returns the element before which that of an item belongs.
  #after(item) {
    const { items, own } = this.#timeline;
    const list = item.kind === 'own' ? own.filter((own) => !own.as) : [...items.slice(items.indexOf(item)), ...own.filter((own) => !own.as)];
    return this.#nodes.get(list[list.indexOf(item) + 1]) ?? null;
  }

  // What the reader scrolls says whether to follow; a box that was resized scrolls by itself.
  #scrolled() {
    if (this.#box.clientHeight !== this.#height) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#follow = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#follow) {
      this.#newer.hidden = true;
      this.onEnd();
    }
    this.#fillTop();
  }

  // #fillTop reads older messages until the reader has some above.
  async #fillTop() {
    if (this.#reading || !this.#timeline) return;
    this.#reading = true;
    const timeline = this.#timeline;
    try {
      while (timeline === this.#timeline && this.#box.scrollTop < AHEAD && timeline.items.some((item) => item.kind === 'message')) {
        if (!await timeline.older()) break;
        await new Promise((painted) => { setTimeout(painted, 0); });
      }
    } finally {
      this.#reading = false;
      this.#showBeginning();
    }
    if (timeline !== this.#timeline) this.#fillTop();
  }

  #showBeginning() {
    const { complete, items } = this.#timeline ?? {};
    this.#beginning.hidden = !complete;
    this.#beginning.textContent = t(items?.some((item) => item.kind === 'message') ? 'beginning' : 'empty');
  }

  // #copy names who said what, where more than one message is copied.
  #copy(event) {
    const selection = getSelection();
    const nodes = [...this.#list.querySelectorAll('.message')].filter((node) => selection.containsNode(node, true));
    if (nodes.length < 2) return;
    event.preventDefault();
    event.clipboardData.setData('text/plain', nodes.map((node) => {
      const item = this.#items.get(node);
      return `${item.username}${item.date ? ` (${item.date.toLocaleString()})` : ''}: ${item.deleted ? t('deleted') : item.content}`;
    }).join('\n'));
  }
}

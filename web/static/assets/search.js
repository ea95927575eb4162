// Search in what is loaded of a room.

import { t } from './strings.js';

export class Search {
  #log; #found = []; #at = -1;
  #bar = document.getElementById('search');
  #text = document.getElementById('search-text');
  #count = document.getElementById('search-count');

  constructor(log) {
    this.#log = log;
    this.#text.addEventListener('input', () => this.#look());
    this.#bar.addEventListener('submit', (event) => { event.preventDefault(); this.#go(1); });
    this.#bar.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.close(); });
    document.getElementById('search-up').addEventListener('click', () => this.#go(-1));
    document.getElementById('search-close').addEventListener('click', () => this.close());
  }

  open() {
    this.#bar.hidden = false;
    this.#text.focus();
    this.#look();
  }

  close() {
    this.#mark([]);
    this.#text.value = '';
    this.#bar.hidden = true;
  }

  #look() {
    this.#mark(this.#log.find(this.#text.value.trim()));
    this.#at = this.#found.length; // the newest first
    this.#go(-1);
  }

  #mark(found) {
    for (const node of this.#found) node.classList.remove('found', 'current');
    this.#found = found;
    for (const node of found) node.classList.add('found');
  }

  #go(step) {
    this.#found[this.#at]?.classList.remove('current');
    const all = this.#found.length;
    this.#count.textContent = this.#text.value.trim() ? t('foundNone') : '';
    if (all === 0) return;
    this.#at = (this.#at + step + all) % all;
    this.#found[this.#at].classList.add('current');
    this.#log.reveal(this.#found[this.#at]);
    this.#count.textContent = t('found', { n: this.#at + 1, all });
  }
}

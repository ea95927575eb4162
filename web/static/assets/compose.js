// Where a message is written: a draft for each room, which lives through a change of room and a reload; an answer; a change of
// what was said.

import { bytesOf } from './edgechat-events.js';
import { get, set } from './kept.js';
import { notice } from './notice.js';
import { t } from './strings.js';

const TYPING_EVERY = 1_500; // ms; the server passes on one a second

// The keyboard of iOS lies over the page and shrinks nothing but this.
window.visualViewport?.addEventListener('resize', () => {
  const { height, scale } = window.visualViewport;
  if (scale === 1) document.documentElement.style.setProperty('--height', `${height}px`);
});

export class Compose {
  #text; #mode; #modeText;
  #place = null;
  #editing = null; // the item that is changed
  #typedAt = 0;
  #client;

  constructor(client) {
    this.#client = client;
    [this.#text, this.#mode, this.#modeText] = ['text', 'mode', 'mode-text'].map((id) => document.getElementById(id));
    this.#text.addEventListener('input', () => this.#input());
    this.#text.addEventListener('keydown', (event) => this.#key(event));
    document.getElementById('mode-end').addEventListener('click', () => this.#endEdit());
    document.getElementById('compose').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  // show has it write to a place.
  show(place) {
    this.#endEdit(false);
    this.#place = place;
    this.#text.value = place ? get(`draft.${place.name}`) : '';
    this.fit();
  }

  focus() {
    // A keyboard that comes up by itself hides half of what somebody wants to read.
    if (!matchMedia('(pointer: coarse)').matches) this.#text.focus();
  }

  reply(item) {
    const quoted = item.content.split('\n').filter((line) => !line.startsWith('>')).slice(0, 3).join('\n').slice(0, 200).split('\n');
    quoted[0] = `${item.username}: ${quoted[0]}`;
    this.#text.value = `${quoted.map((line) => `> ${line}`).join('\n')}\n${this.#text.value}`;
    this.#changed();
    this.#text.focus();
    this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
  }

  edit(item) {
    this.#editing = item;
    this.#text.value = item.content;
    this.#modeText.textContent = t('editing');
    this.#mode.hidden = false;
    this.fit();
    this.#text.focus();
  }

  #endEdit(restore = true) {
    if (!this.#editing) return;
    this.#editing = null;
    this.#mode.hidden = true;
    if (restore) this.show(this.#place);
  }

  #input() {
    this.#changed();
    if (this.#text.value && Date.now() - this.#typedAt > TYPING_EVERY) {
      this.#typedAt = Date.now();
      this.#place?.room.typing();
    }
  }

  #changed() {
    if (this.#place && !this.#editing) set(`draft.${this.#place.name}`, this.#text.value);
    this.fit();
  }

  // fit makes the field as high as what is in it; a browser may know field-sizing or not.
  fit() {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }

  #key(event) {
    if (event.key === 'Escape' && this.#editing) {
      event.stopPropagation();
      this.#endEdit();
    }
    // isComposing: Enter chooses a word in an input method.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    }
  }

  #submit() {
    const content = this.#text.value.trim();
    if (!content || !this.#place) return;
    const bytes = bytesOf(content);
    const max = this.#client().maxContentBytes;
    if (max && bytes > max) {
      notice(t('tooLong', { n: bytes, max }));
      return;
    }
    if (this.#editing) {
      const { id, content: before } = this.#editing;
      this.#endEdit();
      if (content !== before) this.#place.room.edit(id, content);
    } else {
      this.#text.value = '';
      this.#changed();
      this.#place.room.send(content);
    }
    this.#text.focus();
  }
}

// One item of a room as an element. What others wrote becomes text by textContent alone, never markup.

import { t } from './strings.js';
import { clock, day, full } from './time.js';

const GROUP = 5 * 60_000; // ms; messages of one author within it share a headline
const COLORS = 12; // of names, in style.css

// What browsers open and is no script: an address ends at white space, quotes, and what turns the direction of text around.
const LINK = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const AFTER = /[.,;:!?)\]}]+$/; // that is of the sentence and not of the link

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// nameElement is how a username stands anywhere: apart from what stands around it.
export function nameElement(username, verified = false) {
  const bdi = element('bdi', 'name', username);
  bdi.dataset.color = colorOf(username);
  if (!verified) return bdi;
  const mark = element('span', 'verified', '✓');
  mark.title = t('verified');
  mark.setAttribute('role', 'img');
  mark.setAttribute('aria-label', t('verified'));
  bdi.append(mark);
  return bdi;
}

// personElement is nameElement of a key, which keyOf has made.
export const personElement = (key) => nameElement(key.replace('\n', ''), key.endsWith('\n'));

// fill has li say what item says now.
export function fill(li, item) {
  if (item.kind === 'message' || item.kind === 'own') fillMessage(li, item);
  else if (item.kind === 'note') fillNote(li, item);
  else li.replaceChildren(t('missing'));
  li.classList.add(item.kind === 'own' ? 'message' : item.kind);
}

// place is told which message stands before li, and whether what is unread begins here.
export function place(li, item, previous, unreadBegins) {
  if (item.kind !== 'message' && item.kind !== 'own') return;
  const date = item.date ?? new Date();
  const newDay = day(date) !== (previous ? day(previous.date ?? new Date()) : day(new Date()));
  toggleLine(li, 'day', newDay && day(date));
  toggleLine(li, 'unread', unreadBegins && t('unread'));
  li.classList.toggle('follows', !newDay && !unreadBegins && previous?.username === item.username && Boolean(previous.mine) === Boolean(item.mine) &&
    Boolean(previous.verified) === Boolean(item.verified) && // a namesake must not stand under the head of another
    date - (previous.date ?? date) < GROUP);
}

function toggleLine(li, className, text) {
  const line = li.querySelector(`:scope > .${className}`);
  if (!text) {
    line?.remove();
  } else if (line) {
    line.textContent = text;
  } else {
    const made = element('div', className, text);
    if (className === 'day') li.prepend(made);
    else li.querySelector('.head').before(made);
  }
}

function fillMessage(li, item) {
  const lines = [...li.querySelectorAll(':scope > :is(.day, .unread)')];
  const head = element('div', 'head', nameElement(item.username, item.verified));
  if (item.mine) head.append(element('span', 'unseen', ` (${t('you')})`));
  if (item.date) {
    const time = element('time', '', clock(item.date));
    time.dateTime = item.date.toISOString();
    time.title = full(item.date);
    head.append(' ', time);
  }
  const failed = item.kind === 'own' && item.entry.failed;
  const text = element('div', 'text');
  text.dir = 'auto';
  if (item.deleted) text.append(t('deleted'));
  else text.append(...rich(item.content));
  const more = element('button', 'more', '⋯');
  more.type = 'button';
  more.setAttribute('aria-label', t('actions', { name: item.username }));
  more.setAttribute('aria-haspopup', 'dialog');
  const status = element('div', 'status', statusOf(item, failed));
  li.replaceChildren(...lines, head, element('div', 'bubble', text, more), status);
  li.classList.toggle('mine', Boolean(item.mine));
  li.classList.toggle('pending', !failed && (item.kind === 'own' || Boolean(item.waits)));
  li.classList.toggle('failed', Boolean(failed));
  li.dataset.now = item.deleted ? 'deleted' : item.edited ? 'edited' : '';
}

function statusOf(item, failed) {
  if (failed) return t('notSent', { why: failed });
  if (item.saving) return t('saving');
  if (item.kind === 'own' || item.waits) return t('sending');
  if (item.volatile) return t('volatile');
  return item.edited && !item.deleted ? t('edited') : '';
}

// A note names few: a class that comes in at nine is one line.
function fillNote(li, item) {
  const parts = [];
  for (const type of ['joined', 'left']) {
    const names = [...item.people].filter(([, what]) => what === type).map(([name]) => name);
    if (names.length === 0) continue;
    if (parts.length > 0) parts.push(' · ');
    for (const [n, name] of names.slice(0, 3).entries()) parts.push(n ? ', ' : '', personElement(name));
    if (names.length > 3) parts.push(` ${t('andMore', { n: names.length - 3 })}`);
    parts.push(` ${t(type)}`);
  }
  li.replaceChildren(...parts);
}

// rich makes links of addresses, and quotes of lines that begin with >.
function rich(content) {
  const parts = [];
  let quote = null;
  const lines = content.split('\n');
  for (const [n, line] of lines.entries()) {
    const isQuote = /^> ?/.test(line);
    if (isQuote && !quote) parts.push(quote = element('blockquote'));
    if (!isQuote) quote = null;
    const into = linked(isQuote ? line.replace(/^> ?/, '') : line);
    if (n < lines.length - 1) into.push('\n');
    if (quote) quote.append(...into);
    else parts.push(...into);
  }
  return parts;
}

function linked(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const address = match[0].replace(AFTER, '');
    if (!isSafe(address)) continue;
    const a = element('a', '', address);
    a.href = address;
    a.target = '_blank';
    a.rel = 'noopener noreferrer nofollow';
    parts.push(text.slice(at, match.index), a);
    at = match.index + address.length;
  }
  parts.push(text.slice(at));
  return parts.filter(Boolean);
}

function isSafe(address) {
  try {
    return ['http:', 'https:', 'mailto:'].includes(new URL(address).protocol);
  } catch {
    return false;
  }
}

// One author, one color, on every page and after every reload.
function colorOf(name) {
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  return hash % COLORS;
}

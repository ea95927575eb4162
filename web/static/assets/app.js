// The page: the door, where a name and a room are picked, and the chat behind it.

import { Log } from './log.js';
import { Session } from './session.js';

const TYPING_EVERY = 1_500; // ms; the server passes on one a second
const TYPING_SHOWN = 4_000; // ms after the last sign of it
const NOTICE_SHOWN = 8_000; // ms

// Where the server is: behind a proxy it may be below a path.
const base = new URL('..', import.meta.url);

// The address changes with the room, and a browser looks for a relative icon anew then.
for (const icon of document.querySelectorAll('link[rel=icon]')) icon.setAttribute('href', icon.href);

const $ = (id) => document.getElementById(id);
const log = new Log($('log'), $('newer'));
const typists = new Map(); // name to timer

let session = null;
let room = '';
let username = '';
let connections = 0; // to the room; somebody may have several
let maxContent = 0; // bytes; 0 until the server said so
let unread = 0;
let typedAt = 0;
let noticeTimer = 0;
let membersTimer = 0;

// A browser may forbid storage; then nothing is remembered and all else works.
function remember(storage, name, value) {
  try {
    if (value === undefined) return window[storage].getItem(name) ?? '';
    if (value) window[storage].setItem(name, value);
    else window[storage].removeItem(name);
  } catch {
    // as above
  }
  return value ?? '';
}

// A token in the address goes into this tab's memory, so that it stands in no bookmark or
// screenshot, and the back button does not bring it back.
let token = new URLSearchParams(location.search).get('token') ?? '';
if (token) {
  remember('sessionStorage', 'edgechat.token', token);
  history.replaceState(null, '', location.pathname);
} else {
  token = remember('sessionStorage', 'edgechat.token');
}

function roomOfAddress() {
  const match = /^room\/([^/]+)$/.exec(location.pathname.slice(base.pathname.length));
  try {
    return match ? decodeURIComponent(match[1]) : '';
  } catch {
    return '';
  }
}

// ---- the door

function showDoor(refusal = '') {
  session?.stop();
  session = null;
  $('chat').hidden = true;
  $('door').hidden = false;
  document.title = 'edgechat';
  $('refusal').textContent = refusal;
  $('refusal').hidden = !refusal;
  $('name').value = remember('localStorage', 'edgechat.name');
  $('room').value = roomOfAddress() || room || 'general';
  $('name').required = !token;
  ($('name').value ? $('room') : $('name')).focus();
}

$('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const wanted = $('room').value.trim();
  if ($('token').value) {
    token = remember('sessionStorage', 'edgechat.token', $('token').value.trim());
    $('token').value = '';
  }
  remember('localStorage', 'edgechat.name', $('name').value.trim());
  const address = `${base.pathname}room/${encodeURIComponent(wanted)}`;
  if (location.pathname !== address) history.pushState(null, '', address);
  join(wanted);
});

$('leave').addEventListener('click', () => {
  savePending();
  history.pushState(null, '', base.pathname);
  showDoor();
});

// ---- the chat

function join(wanted) {
  session?.stop();
  room = wanted;
  username = remember('localStorage', 'edgechat.name');
  maxContent = connections = unread = 0;
  log.clear();
  log.me = username;
  for (const timer of typists.values()) clearTimeout(timer);
  typists.clear();
  showTyping();
  $('notice').hidden = true;
  $('door').hidden = true;
  $('chat').hidden = false;
  $('title').textContent = room;
  $('members-button').hidden = true;
  $('member-list').replaceChildren();
  showMembers(window.matchMedia('(min-width: 60rem)').matches);
  showTitle();
  session = new Session({ base, room, username, token, pending: loadPending(), on });
  session.start();
  $('text').focus();
}

const on = {
  state(name, detail) {
    const texts = { connecting: 'Connecting…', open: 'Connected', waiting: 'No connection, trying again…' };
    $('state').textContent = texts[name] ?? '';
    $('state').dataset.state = name;
    if (name === 'stopped' && detail.text) refused(detail);
  },
  subscribed(frame) {
    log.me = username = frame.username;
    log.resumed();
    maxContent = frame.max_content_bytes;
    connections = frame.members;
    clearTimeout(membersTimer);
    membersTimer = 0;
    listMembers(Math.min(5_000, connections)); // at once, or nearly: there is no number before it
  },
  message(frame, live) {
    log.message(frame, live);
    stopTyping(frame.username);
    if (live && document.hidden && frame.username !== username) {
      unread++;
      showTitle();
    }
  },
  revised: (frame) => log.revised(frame),
  event(frame) {
    if (frame.type === 'typing') {
      if (frame.username !== username) startTyping(frame.username);
      return;
    }
    log.note(`${frame.username} ${frame.type}`);
    if (frame.type === 'left') stopTyping(frame.username);
    listMembers();
  },
  gap: () => log.note('Some messages are missing here.', 'gap'),
  pending(entry) {
    log.pending(entry);
    queueMicrotask(savePending);
  },
  acked(entry, frame) {
    log.acked(entry, frame);
    savePending();
  },
  failed(entry, text) {
    log.failed(entry, text);
    savePending();
  },
  error: (text) => notice(text),
};

function refused({ text, status, code }) {
  if (status === 401 || code === 'forbidden') { // not what a moderator has decided: the token is right
    token = remember('sessionStorage', 'edgechat.token', '');
    $('token-row').hidden = false;
  }
  showDoor(text);
}

// What was not acknowledged survives a reload of the page, under the same keys.
function savePending() {
  const entries = session?.pending() ?? [];
  remember('sessionStorage', 'edgechat.pending', entries.length > 0 ? JSON.stringify({ room, entries }) : '');
}

function loadPending() {
  try {
    const saved = JSON.parse(remember('sessionStorage', 'edgechat.pending') || '{}');
    return saved.room === room ? saved.entries : [];
  } catch {
    return [];
  }
}

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { $('notice').hidden = true; }, NOTICE_SHOWN);
}

function showTitle() {
  document.title = `${unread ? `(${unread}) ` : ''}${room} · edgechat`;
}

// ---- writing

const text = $('text');

text.addEventListener('input', () => {
  if (text.value && Date.now() - typedAt > TYPING_EVERY) {
    typedAt = Date.now();
    session?.typing();
  }
});

text.addEventListener('keydown', (event) => {
  // isComposing: Enter chooses a word in an input method.
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $('compose').requestSubmit();
  }
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const content = text.value.trim();
  if (!content || !session) return;
  const bytes = new TextEncoder().encode(content).length;
  if (maxContent && bytes > maxContent) {
    notice(`This is ${bytes} bytes long, and a message holds ${maxContent}. Send it in parts.`);
    return;
  }
  text.value = '';
  session.send(content);
  text.focus();
});

// ---- who is here

function startTyping(name) {
  clearTimeout(typists.get(name));
  typists.set(name, setTimeout(() => stopTyping(name), TYPING_SHOWN));
  showTyping();
}

function stopTyping(name) {
  if (!typists.has(name)) return;
  clearTimeout(typists.get(name));
  typists.delete(name);
  showTyping();
}

function showTyping() {
  const names = [...typists.keys()];
  const texts = ['', `${names[0]} is typing…`, `${names[0]} and ${names[1]} are typing…`];
  $('typing').textContent = texts[names.length] ?? 'Several people are typing…';
}

// Names are counted: who has two pages open is here once.
function showCount(names) {
  $('members-button').textContent = `${names} here`;
  $('members-button').hidden = false;
}

function showMembers(shown) {
  $('members').hidden = !shown;
  $('members-button').setAttribute('aria-expanded', String(shown));
}

$('members-button').addEventListener('click', () => showMembers($('members').hidden));

// One who joins a room of a thousand makes a thousand pages ask: they spread out, and
// ask once for many who come and go.
function listMembers(spread = Math.min(60_000, connections ** 2)) {
  if (membersTimer) return;
  membersTimer = setTimeout(async () => {
    membersTimer = 0;
    const asked = session;
    try {
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      const answer = await fetch(new URL(`chat/room/${encodeURIComponent(room)}/members`, base), { headers });
      if (!answer.ok || asked !== session) return;
      const { members } = await answer.json();
      connections = members.reduce((sum, member) => sum + member.connections, 0);
      showCount(members.length);
      $('member-list').replaceChildren(...members.map((member) => {
        const item = document.createElement('li');
        item.dir = 'auto';
        item.textContent = member.username;
        return item;
      }));
    } catch {
      // The list stays as it was; the next who comes or goes asks again.
    }
  }, 100 + Math.random() * spread);
}

// ---- the browser

window.addEventListener('online', () => session?.replace());
window.addEventListener('pageshow', (event) => { if (event.persisted) session?.replace(); });
window.addEventListener('popstate', route);
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !session) return;
  unread = 0;
  showTitle();
  session.wake();
});

// Who comes with the address of a room and has a name goes straight in.
function route() {
  const wanted = roomOfAddress();
  if (wanted && (token || remember('localStorage', 'edgechat.name'))) join(wanted);
  else showDoor();
}

route();

// What this browser remembers: name, token, rooms, drafts, settings, what was not acknowledged. A browser may
// forbid storage; then it is forgotten with the page, and all else works.
//
// Names begin with the path of the server, so that two of them below one host know nothing of each other.

import { base } from './base.js';

const prefix = base.pathname === '/' ? 'edgechat.' : `edgechat${base.pathname}.`;
const OWN_MAX = 500; // ids of messages of ours that are remembered

// what storage there is, or a Map that poses as one
const store = (() => {
  try {
    const name = `${prefix}try`;
    localStorage.setItem(name, '1');
    localStorage.removeItem(name);
    return localStorage;
  } catch {
    const map = new Map();
    return {
      get length() { return map.size; },
      key: (n) => [...map.keys()][n] ?? null,
      getItem: (name) => map.get(name) ?? null,
      setItem: (name, value) => map.set(name, String(value)),
      removeItem: (name) => map.delete(name),
    };
  }
})();

export function get(name, otherwise = '') {
  try {
    return store.getItem(prefix + name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

// set keeps a text; an empty one is forgotten.
export function set(name, value) {
  try {
    if (value) store.setItem(prefix + name, value);
    else store.removeItem(prefix + name);
  } catch {
    // full: what is kept already stays
  }
}

export function getJSON(name, otherwise) {
  try {
    return JSON.parse(get(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export const setJSON = (name, value) => set(name, JSON.stringify(value));

// pending is the storage of the client's outbox: each entry has a place of its own, so that two tabs do not overwrite each other's.
export const pending = {
  load() {
    const found = [];
    for (let n = 0; n < store.length; n++) {
      const name = store.key(n);
      if (!name.startsWith(`${prefix}pending.`)) continue;
      const entry = getJSON(name.slice(prefix.length), null);
      if (entry) found.push(entry);
    }
    return found.sort((a, b) => a.at - b.at);
  },
  put(entry) { setJSON(`pending.${entry.key}`, { at: Date.now(), ...entry }); },
  remove(entry) { set(`pending.${entry.key}`, ''); },
};

// authorKey shows that a message is ours, after a reload, too.
export function authorKey() {
  let key = get('author-key');
  if (!key) {
    key = Array.from(crypto.getRandomValues(new Uint8Array(24)), (b) => b.toString(36).padStart(2, '0')).join('');
    set('author-key', key);
  }
  return key;
}

// Which messages are ours: two people may have one name, and nobody but us knows which ids our keys were given. An id is
// one of its room; another room may have the same.
const own = new Set(getJSON('own', []));

export const isOwn = (room, id) => own.has(`${room} ${id}`);

export function addOwn(room, id) {
  for (const other of getJSON('own', [])) own.add(other); // those of another tab
  own.add(`${room} ${id}`);
  while (own.size > OWN_MAX) own.delete(own.values().next().value);
  setJSON('own', [...own]);
}

// onOwn tells of what another tab of this browser said.
export function onOwn(listener) {
  window.addEventListener('storage', (event) => {
    if (event.key !== `${prefix}own`) return;
    for (const one of getJSON('own', [])) {
      if (own.has(one)) continue;
      own.add(one);
      listener(...one.split(' '));
    }
  });
}

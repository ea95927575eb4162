// The page: the door, and behind it the chat, in as many rooms as somebody likes, over one connection.

import { connect, formOf } from './edgechat.js';
import { openActions } from './actions.js';
import * as alerts from './alerts.js';
import { addressOf, base, roomOf } from './base.js';
import { Compose } from './compose.js';
import { Door, acceptToken, refuseToken, takeToken } from './door.js';
import { invite } from './invite.js';
import * as kept from './kept.js';
import { Log } from './log.js';
import { hideNotice, notice } from './notice.js';
import * as panels from './panels.js';
import { keyOf, showPeople, typingParts } from './people.js';
import { Rooms, showOthers, showRooms } from './rooms.js';
import { Search } from './search.js';
import * as settings from './settings.js';
import { action, show as showSheet } from './sheet.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);

settings.apply();

// The address changes with the room, and a browser looks for what is relative to it anew then.
for (const link of document.querySelectorAll('link')) link.href = link.href;

let client = null;
let rooms = null;
let place = null; // the room that is shown
let waitTimer = 0;
let listTimer = 0;

const log = new Log();
const search = new Search(log);
const compose = new Compose(() => client);
const door = new Door(arrive);

// ---- coming and going

function arrive(name) {
  if (location.pathname !== addressOf(name)) history.pushState(null, '', addressOf(name));
  stop();
  start(name);
}

// start connects, and enters all rooms that were not left.
function start(name) {
  door.hide();
  client = connect({ url: base, username: kept.get('name'), token: kept.get('token'), storage: kept.pending, authorKey: kept.authorKey() });
  client.on('state', connection);
  client.on('waits', showWaits);
  client.on('error', (refusal) => notice(refusal.message));
  client.on('welcome', () => {
    acceptToken();
    rooms.enterKept();
    listOthers();
  });
  rooms = new Rooms(client, on);
  choose(name);
}

function stop() {
  const old = client;
  showWaits(false);
  client = rooms = place = null;
  log.show(null);
  compose.show(null);
  old?.stop();
}

const on = {
  me: () => client && keyOf(client),
  changed: () => {
    listTimer ||= setTimeout(() => {
      listTimer = 0;
      if (rooms) showList();
    }, 50);
  },
  unread(other, item, live) {
    const looks = other === place && !document.hidden;
    if (looks && !log.keepsAll) other.seen();
    else if (live && !looks) alerts.said(other, item);
  },
  subscribed(other, frame) {
    if (other === place) {
      log.replaying();
      other.people.load(frame.members);
    }
    on.changed();
  },
  people(other) {
    if (other !== place) return;
    showPeople($('people-list'), other.people.names);
    showState();
    $('typing').replaceChildren(...typingParts(other.people.typing));
  },
  ended(other, refusal) {
    if (!rooms || rooms.get(other.name) !== other || refusal.code === 'left' || client.state === 'stopped') return;
    rooms.forget(other.name);
    const text = refusal.message;
    if (refusal.code === 'invalid_room' || refusal.code === 'not_found') rooms.leave(other.name);
    if (other !== place) {
      if (refusal.code === 'too_many_rooms') full(other.name);
      on.changed();
      return;
    }
    const rest = rooms.all[0];
    if (rest) {
      choose(rest.name);
      notice(t('ended', { room: other.name, why: text }));
    } else {
      leaveTo(text, refusal.code === 'forbidden');
    }
  },
};

// leaveTo ends the chat and shows the door, with a reason.
function leaveTo(text = '', withToken = false) {
  const room = place?.name ?? '';
  stop();
  door.show(room, text, withToken);
}

// full says that a room has to be left first; then this one is entered.
async function full(name) {
  notice(await rooms.hold(name));
  listOthers();
}

function choose(wanted) {
  const name = formOf(wanted);
  panels.close();
  search.close();
  if (rooms.full && !rooms.get(name)) {
    history.replaceState(null, '', addressOf(place.name));
    full(name);
    return;
  }
  if (location.pathname !== addressOf(name)) history.pushState(null, '', addressOf(name));
  place = rooms.enter(name);
  client.prefer(name);
  $('title').textContent = name;
  hideNotice();
  log.show(place.timeline, place.unread > 0 || !place.joined ? place.read >= 0 ? place.read : Infinity : Infinity);
  compose.show(place);
  place.people.forget();
  if (place.joined) place.people.load();
  on.people(place);
  showList();
  if (client.state === 'open') listOthers();
  compose.focus();
  seen();
}

// ---- what is shown

function showList() {
  showRooms($('room-list'), rooms.all, place.name, choose);
  const elsewhere = rooms.unread - place.unread;
  $('elsewhere').hidden = elsewhere === 0;
  $('elsewhere').textContent = elsewhere > 99 ? '99+' : elsewhere;
  $('rooms-button').setAttribute('aria-label', elsewhere ? `${t('rooms')}, ${t('unreadRoom', { n: elsewhere })}` : t('rooms'));
  alerts.unreadIs(rooms.unread, place.name);
  $('compose').hidden = place.readOnly;
  $('read-only').hidden = !place.readOnly;
  $('write').hidden = place.access === 'read';
}

async function listOthers() {
  try {
    const { rooms: there } = await client.request('rooms');
    const others = rooms.others(there).slice(0, 50);
    $('others').hidden = others.length === 0;
    showOthers($('other-list'), others, choose);
  } catch {
    $('others').hidden = true;
  }
}

function showState() {
  const known = client?.state === 'open' && place?.people.known;
  const n = place?.people.names.length ?? 0;
  $('state').textContent = known ? t('hereCount', { n }) : client?.state === 'open' ? '' : t(client?.state === 'waiting' ? 'offline' : 'connecting');
  $('people-count').textContent = known ? n : '';
  $('people-button').setAttribute('aria-label', known ? `${t('here')}: ${n}` : t('here'));
}

function connection(state, detail) {
  document.documentElement.dataset.connection = state;
  clearInterval(waitTimer);
  // It stays through a try: one that comes and goes moves what somebody reads.
  if (state === 'waiting') $('offline').hidden = false;
  else if (state === 'connecting') $('offline-text').textContent = t('connecting');
  else $('offline').hidden = true;
  if (state === 'stopped') {
    if (!client) return; // we did
    const needsToken = detail.code === 'unauthorized' || detail.code === 'token_revoked';
    if (needsToken) refuseToken();
    leaveTo(detail.text, needsToken);
    return;
  }
  if (state === 'waiting') {
    const end = Date.now() + detail.delay;
    const show = () => { $('offline-text').textContent = `${t('waiting', { n: Math.max(0, Math.ceil((end - Date.now()) / 1000)) })}${detail.text ? ` ${detail.text}` : ''}`; };
    show();
    waitTimer = setInterval(show, 1_000);
  }
  showState();
}

// showWaits says that what is said waits here, since the server can take nothing.
function showWaits(on) { $('waits').hidden = !on; }

// seen says that the reader has seen the end of the room.
function seen() {
  if (place?.joined && !document.hidden && !log.keepsAll) place.seen();
}

// ---- what somebody does

log.onEnd = seen;

$('items').addEventListener('click', (event) => {
  const button = event.target.closest('.more');
  if (button) openActions(log.itemOf(button), place, { compose, mayDelete: place.access === 'moderate' });
});

$('room-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('room-name').value.trim();
  $('room-name').value = '';
  if (name) choose(name);
});

$('rooms-button').addEventListener('click', listOthers);
$('people-button').addEventListener('click', () => place.people.load());
// Nobody is told when a room may be written in again.
$('write').addEventListener('click', () => {
  place.readOnly = false;
  showList();
  compose.focus();
});
$('try-now').addEventListener('click', () => client?.check());

$('menu-button').addEventListener('click', () => {
  showSheet(place.name,
    action(t('search'), () => search.open()),
    action(t('invite'), () => invite(place.name)),
    action(t('settings'), () => settings.open(redraw, () => leaveTo())),
    action(t('leave'), leaveRoom));
});

function leaveRoom() {
  rooms.leave(place.name);
  rooms.enterKept();
  const rest = rooms.all[0];
  if (rest) {
    choose(rest.name);
  } else {
    history.pushState(null, '', base.pathname);
    leaveTo();
  }
}

// redraw heeds changed settings.
function redraw() {
  log.reset();
  compose.fit();
  on.people(place);
  showList();
}

// ---- the browser

kept.onOwn((room, id) => rooms?.get(room)?.timeline.ours(id));

document.addEventListener('visibilitychange', () => {
  if (!place) return;
  if (document.hidden) log.unreadFrom(place.head);
  else seen();
});

window.addEventListener('popstate', route);

// Who comes with the address of a room and has a name goes straight in; who comes without goes where they were.
function route() {
  const wanted = roomOf(location);
  if (rooms && wanted) choose(wanted);
  else if (wanted && (kept.get('token') || kept.get('name'))) start(wanted);
  else if (place) leaveTo();
  else door.show(Rooms.kept()[0]);
}

if (takeToken()) door.show(Rooms.kept()[0]);
else route();

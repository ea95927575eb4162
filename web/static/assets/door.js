// The door, where a name and a room are picked, and a token where one is needed.

import { roomOf } from './base.js';
import * as kept from './kept.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);

// The token that came with the address is kept apart until the server has taken it, so that a link cannot take away a right one.
let offered = '';
let before = ''; // the token that it took the place of

// takeToken takes a token out of the address, so that it stands in no bookmark or screenshot, and the back
// button does not bring it back. It returns whether somebody has to say which one to use.
export function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  offered = fragment.get('token') || query.get('token') || '';
  if (fragment.has('token') || query.has('token')) history.replaceState(null, '', location.pathname);
  if (offered === kept.get('token')) offered = '';
  if (offered && !kept.get('token')) {
    kept.set('token', offered);
    offered = '';
  }
  return Boolean(offered);
}

// refuseToken is told that the server does not take the token: the one before it is ours again, if there is one.
export function refuseToken() {
  kept.set('token', before);
  before = '';
}

// acceptToken is told that the server takes it: the one before is nobody's any more.
export function acceptToken() { before = ''; }

export class Door {
  // enter is called with a room once somebody comes in.
  constructor(enter) {
    $('join').addEventListener('submit', (event) => {
      event.preventDefault();
      before = offered && kept.get('token');
      if (offered) kept.set('token', offered);
      else if ($('token').value.trim()) kept.set('token', $('token').value.trim());
      offered = $('token').value = '';
      kept.set('name', $('name').value.trim());
      enter($('room').value.trim());
    });
    $('keep-token').addEventListener('click', () => {
      offered = '';
      enter($('room').value.trim());
    });
  }

  // show asks; refusal says why, and withToken that a token is needed.
  show(room, refusal = '', withToken = false) {
    $('chat').hidden = true;
    $('door').hidden = false;
    document.title = 'edgechat';
    const text = offered ? t('otherToken') : refusal;
    $('refusal').textContent = text;
    $('refusal').hidden = !text;
    $('keep-token').hidden = !offered;
    if (withToken) $('token-row').hidden = false;
    $('join').querySelector('.primary').textContent = t(offered ? 'useToken' : 'join');
    $('name').value = kept.get('name');
    $('room').value = roomOf(location) || room || 'general';
    $('name').required = !kept.get('token') && !offered;
    (withToken ? $('token') : $('name').value ? $('room') : $('name')).focus();
  }

  hide() {
    $('door').hidden = true;
    $('chat').hidden = false;
  }
}

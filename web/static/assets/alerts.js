// What tells somebody who looks elsewhere: the title, the icon's badge, a sound, a notification. All of it is off
// until it is asked for.

import { get } from './kept.js';

let audio = null;

export function unreadIs(count, room) {
  const shown = get('counts') ? count : 0;
  document.title = `${shown ? `(${shown}) ` : ''}${room ? `${room} · ` : ''}edgechat`;
  if (shown) navigator.setAppBadge?.(shown).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
}

// said is told of a message that came while nobody looked.
export function said(place, item) {
  if (get('sound')) beep();
  if (get('notify') && globalThis.Notification?.permission === 'granted') {
    try {
      const note = new Notification(`${item.username} · ${place.name}`, { body: item.content.slice(0, 200), tag: place.name });
      note.onclick = () => { window.focus(); note.close(); };
    } catch {
      // Chrome on Android has them from service workers alone
    }
  }
}

// mayNotify says whether this browser could: it takes a secure context.
export const mayNotify = () => globalThis.isSecureContext && 'Notification' in globalThis;

export function beep() {
  audio ??= new AudioContext();
  audio.resume();
  const [tone, volume, now] = [audio.createOscillator(), audio.createGain(), audio.currentTime];
  tone.frequency.setValueAtTime(660, now);
  tone.frequency.setValueAtTime(880, now + 0.09);
  volume.gain.setValueAtTime(0.12, now);
  volume.gain.exponentialRampToValueAtTime(0.001, now + 0.3);
  tone.connect(volume).connect(audio.destination);
  tone.start(now);
  tone.stop(now + 0.3);
}

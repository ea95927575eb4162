// The panels beside the chat: rooms and people. Where there is little room they lie over it, and close by Escape or a
// tap outside; else they stand beside it.

const wide = { rooms: matchMedia('(min-width: 48rem)'), people: matchMedia('(min-width: 64rem)') };
const names = Object.keys(wide);
const $ = (id) => document.getElementById(id);
let shown = ''; // the panel that lies over the chat
let beside = true; // the people stand beside the chat, where there is room
let opener = null;

const over = (name) => !wide[name].matches;

function show() {
  const chat = $('chat');
  if (shown && !over(shown)) shown = '';
  for (const name of names) {
    const open = shown === name || (!over(name) && (name === 'rooms' || beside));
    $(name).hidden = !open;
    $(name).classList.toggle('over', shown === name);
    $(`${name}-button`).setAttribute('aria-expanded', String(open));
  }
  $('scrim').hidden = !shown;
  for (const part of chat.children) part.inert = Boolean(shown) && part.id !== shown && part.id !== 'scrim';
}

export function open(name) {
  if (over(name)) {
    opener = document.activeElement;
    shown = name;
    show();
    $(name).querySelector('.close').focus();
  } else {
    if (name === 'people') beside = !beside;
    show();
  }
}

export function close() {
  if (!shown) return;
  shown = '';
  show();
  opener?.focus();
}

for (const name of names) {
  $(`${name}-button`).addEventListener('click', () => open(name));
  $(name).querySelector('.close').addEventListener('click', () => {
    if (shown) close();
    else open(name);
  });
  wide[name].addEventListener('change', show);
}
$('scrim').addEventListener('click', close);
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') close(); });
show();

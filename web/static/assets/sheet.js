// One dialog for all that is asked or shown beside the chat: it closes by Escape, its button, and a tap outside.

import { element } from './item.js';
import { t } from './strings.js';

const dialog = document.getElementById('sheet');
const title = document.getElementById('sheet-title');
const body = document.getElementById('sheet-body');

dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
document.getElementById('sheet-close').addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => { if (!dialog.open) body.replaceChildren(); }); // it may show something else by now

export function show(heading, ...children) {
  title.textContent = heading;
  body.replaceChildren(...children);
  if (!dialog.open) dialog.showModal();
}

export const close = () => dialog.close();

// action is a button that closes the dialog and does something. With sure it asks so first.
export function action(label, act, sure = '') {
  const button = element('button', 'action', label);
  button.type = 'button';
  button.addEventListener('click', () => {
    if (sure && button.textContent !== sure) {
      button.textContent = sure;
      button.classList.add('bad');
      return;
    }
    dialog.close();
    act();
  });
  return button;
}

// choice is a labelled list of values.
export function choice(label, value, values, chosen) {
  const select = element('select');
  for (const [key, text] of Object.entries(values)) select.append(new Option(text, key, false, key === value));
  select.addEventListener('change', () => chosen(select.value));
  return element('label', 'setting', element('span', '', label), select);
}

export function toggle(label, value, chosen) {
  const box = element('input');
  box.type = 'checkbox';
  box.checked = value;
  box.addEventListener('change', () => chosen(box.checked, box));
  return element('label', 'setting', element('span', '', label), box);
}

// copy puts a text on the clipboard, for which a page over plain http has to take a detour.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element('textarea', 'unseen');
    area.value = text;
    (dialog.open ? dialog : document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  return t('copied');
}

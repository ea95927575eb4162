// How somebody wants the page: kept in this browser.

import { beep, mayNotify } from './alerts.js';
import { get, set } from './kept.js';
import { action, choice, show, toggle } from './sheet.js';
import { language, languages, t, translate } from './strings.js';
import { reformat } from './time.js';

const sizes = { 100: '100 %', 115: '115 %', 130: '130 %', 150: '150 %', 200: '200 %' };

const dark = matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', apply);

// apply has the page look as it is set.
export function apply() {
  const root = document.documentElement;
  root.dataset.theme = get('theme') || (dark.matches ? 'dark' : 'light');
  root.style.fontSize = get('size') ? `${get('size')}%` : '';
  translate();
  reformat();
}

// open shows the settings. changed is called after each change, signOut when somebody wants another name.
export function open(changed, signOut) {
  const keep = (name) => (value) => {
    set(name, value === true ? 'on' : value || '');
    apply();
    changed();
  };
  const rows = [
    choice(t('theme'), get('theme'), { '': t('auto'), light: t('light'), dark: t('dark') }, keep('theme')),
    choice(t('size'), get('size') || '100', sizes, (value) => keep('size')(value === '100' ? '' : value)),
    choice(t('hours'), get('hours'), { '': t('auto'), 12: '12 h', 24: '24 h' }, keep('hours')),
    choice(t('language'), language(), languages, (value) => { keep('language')(value); open(changed, signOut); }),
    toggle(t('sound'), Boolean(get('sound')), (on) => { keep('sound')(on); if (on) beep(); }),
    toggle(t('counts'), Boolean(get('counts')), keep('counts')),
  ];
  if (mayNotify()) {
    rows.push(toggle(t('notify'), Boolean(get('notify')), async (on, box) => {
      const granted = on && await Notification.requestPermission() === 'granted';
      box.checked = granted;
      keep('notify')(granted);
    }));
  }
  show(t('settings'), ...rows, action(t('signOut'), signOut));
}

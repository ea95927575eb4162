// How others come in: the address of the room, as text and as a QR code, which the server draws.

import { addressOf, base } from './base.js';
import { element } from './item.js';
import { notice } from './notice.js';
import { action, copy, show } from './sheet.js';
import { t } from './strings.js';

export function invite(room) {
  const address = `${location.origin}${addressOf(room)}`;
  const parts = [];
  if (['localhost', '127.0.0.1', '[::1]'].includes(location.hostname)) parts.push(element('p', 'warning', t('inviteLocal')));
  const image = element('img', 'qr');
  image.alt = address;
  const source = new URL('qr.svg', base);
  source.searchParams.set('text', address);
  image.src = source;
  const text = element('p', 'address', address);
  parts.push(element('p', '', t('inviteText')), image, text, action(t('copy'), async () => notice(await copy(address))));
  show(t('invite'), ...parts);
}

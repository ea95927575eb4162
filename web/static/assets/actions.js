// What can be done with a message: a menu for each, behind its button.

import { notice } from './notice.js';
import { copy, action, show } from './sheet.js';
import { t } from './strings.js';

// openActions shows what somebody may do with an item. mayDelete says that they moderate the room.
export function openActions(item, place, { compose, mayDelete }) {
  const { room, timeline } = place;
  const actions = [];
  if (item.kind === 'own') {
    if (!item.entry.failed) return;
    actions.push(action(t('resend'), () => room.resend(item.entry.key)));
    actions.push(action(t('discard'), () => {
      room.discard(item.entry.key);
      timeline.discard(item);
    }));
  } else if (!item.deleted) {
    if (!place.readOnly) actions.push(action(t('reply'), () => compose.reply(item)));
    if (item.mine && !place.readOnly) actions.push(action(t('edit'), () => compose.edit(item)));
    if (item.mine || mayDelete) actions.push(action(t('delete'), () => room.delete(item.id), t('deleteSure')));
  }
  if (!item.deleted) actions.push(action(t('copy'), async () => notice(await copy(item.content))));
  if (actions.length > 0) show(item.username, ...actions);
}

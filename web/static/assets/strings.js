// What the page says, in the languages it speaks. {name} stands for a value.

import { get } from './kept.js';

const table = {
  en: {
    yourName: 'Your name', room: 'Room', token: 'Token', join: 'Join', keepToken: 'Go on as before', rooms: 'Rooms', close: 'Close', joinRoom: 'Join a room', go: 'Go',
    otherRooms: 'Others on this server', more: 'More', tryNow: 'Try now', search: 'Search', previous: 'Previous', next: 'Next', messages: 'Messages', newer: 'New messages ↓',
    cancel: 'Cancel', message: 'Message', send: 'Send', readOnly: 'You may read here, not write.', here: 'Here now', hereCount: '{n} here', connecting: 'Connecting…',
    waits: 'The server can take no messages now. Yours wait here, and are sent as soon as it can.', waiting: 'No connection. Next try in {n} s.', offline: 'No connection', isTyping: 'is typing…', areTyping: 'are typing…', manyTyping: 'Several people are typing…', and: 'and',
    verified: 'verified', you: 'you', actions: 'Actions for the message of {name}', deleted: 'deleted', edited: 'edited', sending: 'sending…', saving: 'saving…', notSent: 'not sent: {why}',
    volatile: 'not on disk', missing: 'Some messages are missing here.', unread: 'New', joined: 'joined', left: 'left', andMore: 'and {n} more', beginning: 'Nothing older is kept.', empty: 'Nothing has been said here yet.',
    reply: 'Reply', copy: 'Copy', edit: 'Edit', delete: 'Delete', deleteSure: 'Delete for everyone?', resend: 'Send again', discard: 'Discard', editing: 'Editing your message', copied: 'Copied.',
    tooLong: 'This is {n} bytes long, and a message holds {max}. Send it in parts.', refused: 'The server has not taken it: {why}', invite: 'Invite', inviteText: 'Who is in the same network opens this address:', inviteLocal: 'This address is for this device alone. Open the page by the address that others use.',
    settings: 'Settings', leave: 'Leave this room', signOut: 'Change name', theme: 'Colors', auto: 'As the device', light: 'Light', dark: 'Dark', size: 'Text size', hours: 'Clock', sound: 'Sound', counts: 'Count unread in title and icon', notify: 'Notifications', language: 'Language',
    found: '{n} of {all}', foundNone: 'none', otherToken: 'This address brings another token than the one you have. Use it?', useToken: 'Use it', full: 'You can be in {n} rooms at once here. Leave one, and “{room}” opens.', ended: 'You are no longer in “{room}”: {why}', members: '{n} in it', unreadRoom: '{n} new',
  },
  de: {
    yourName: 'Dein Name', room: 'Raum', token: 'Token', join: 'Eintreten', keepToken: 'Weiter wie bisher', rooms: 'Räume', close: 'Schließen', joinRoom: 'Raum betreten', go: 'Los',
    otherRooms: 'Andere auf diesem Server', more: 'Mehr', tryNow: 'Jetzt versuchen', search: 'Suchen', previous: 'Voriger', next: 'Nächster', messages: 'Nachrichten', newer: 'Neue Nachrichten ↓',
    cancel: 'Abbrechen', message: 'Nachricht', send: 'Senden', readOnly: 'Hier darfst du lesen, nicht schreiben.', here: 'Jetzt hier', hereCount: '{n} hier', connecting: 'Verbinden…',
    waits: 'Der Server kann gerade keine Nachrichten annehmen. Deine warten hier und werden gesendet, sobald er kann.', waiting: 'Keine Verbindung. Neuer Versuch in {n} s.', offline: 'Keine Verbindung', isTyping: 'schreibt…', areTyping: 'schreiben…', manyTyping: 'Mehrere schreiben…', and: 'und',
    verified: 'bestätigt', you: 'du', actions: 'Aktionen zur Nachricht von {name}', deleted: 'gelöscht', edited: 'bearbeitet', sending: 'wird gesendet…', saving: 'wird gespeichert…', notSent: 'nicht gesendet: {why}',
    volatile: 'nicht auf dem Speicher', missing: 'Hier fehlen Nachrichten.', unread: 'Neu', joined: 'ist gekommen', left: 'ist gegangen', andMore: 'und {n} weitere', beginning: 'Älteres ist nicht aufgehoben.', empty: 'Hier wurde noch nichts gesagt.',
    reply: 'Antworten', copy: 'Kopieren', edit: 'Bearbeiten', delete: 'Löschen', deleteSure: 'Für alle löschen?', resend: 'Noch einmal senden', discard: 'Verwerfen', editing: 'Du bearbeitest deine Nachricht', copied: 'Kopiert.',
    tooLong: 'Das sind {n} Bytes, und eine Nachricht fasst {max}. Sende es in Teilen.', refused: 'Der Server hat es nicht angenommen: {why}', invite: 'Einladen', inviteText: 'Wer im selben Netz ist, öffnet diese Adresse:', inviteLocal: 'Diese Adresse gilt nur auf diesem Gerät. Öffne die Seite unter der Adresse, die andere benutzen.',
    settings: 'Einstellungen', leave: 'Raum verlassen', signOut: 'Namen ändern', theme: 'Farben', auto: 'Wie das Gerät', light: 'Hell', dark: 'Dunkel', size: 'Schriftgröße', hours: 'Uhr', sound: 'Ton', counts: 'Ungelesene in Titel und Symbol zählen', notify: 'Benachrichtigungen', language: 'Sprache',
    found: '{n} von {all}', foundNone: 'keine', otherToken: 'Diese Adresse bringt ein anderes Token mit als deines. Benutzen?', useToken: 'Benutzen', full: 'Hier kann man in {n} Räumen zugleich sein. Verlasse einen, dann öffnet sich „{room}“.', ended: 'Du bist nicht mehr in „{room}“: {why}', members: '{n} darin', unreadRoom: '{n} neu',
  },
  fr: {
    yourName: 'Votre nom', room: 'Salon', token: 'Jeton', join: 'Entrer', keepToken: 'Continuer comme avant', rooms: 'Salons', close: 'Fermer', joinRoom: 'Entrer dans un salon', go: 'Aller',
    otherRooms: 'Autres sur ce serveur', more: 'Plus', tryNow: 'Essayer', search: 'Chercher', previous: 'Précédent', next: 'Suivant', messages: 'Messages', newer: 'Nouveaux messages ↓',
    cancel: 'Annuler', message: 'Message', send: 'Envoyer', readOnly: 'Ici, vous pouvez lire, pas écrire.', here: 'Présents', hereCount: '{n} ici', connecting: 'Connexion…',
    waits: 'Le serveur ne peut pas prendre de messages en ce moment. Les vôtres attendent ici et partiront dès qu’il le pourra.', waiting: 'Pas de connexion. Nouvel essai dans {n} s.', offline: 'Pas de connexion', isTyping: 'écrit…', areTyping: 'écrivent…', manyTyping: 'Plusieurs personnes écrivent…', and: 'et',
    verified: 'vérifié', you: 'vous', actions: 'Actions pour le message de {name}', deleted: 'supprimé', edited: 'modifié', sending: 'envoi…', saving: 'enregistrement…', notSent: 'non envoyé : {why}',
    volatile: 'pas sur le disque', missing: 'Des messages manquent ici.', unread: 'Nouveau', joined: 'est là', left: 'est parti', andMore: 'et {n} autres', beginning: 'Rien de plus ancien n’est gardé.', empty: 'Rien n’a encore été dit ici.',
    reply: 'Répondre', copy: 'Copier', edit: 'Modifier', delete: 'Supprimer', deleteSure: 'Supprimer pour tous ?', resend: 'Renvoyer', discard: 'Abandonner', editing: 'Vous modifiez votre message', copied: 'Copié.',
    tooLong: 'Cela fait {n} octets, et un message en contient {max}. Envoyez-le en parties.', refused: 'Le serveur ne l’a pas accepté : {why}', invite: 'Inviter', inviteText: 'Sur le même réseau, ouvrez cette adresse :', inviteLocal: 'Cette adresse ne vaut que sur cet appareil. Ouvrez la page par l’adresse que les autres utilisent.',
    settings: 'Réglages', leave: 'Quitter ce salon', signOut: 'Changer de nom', theme: 'Couleurs', auto: 'Comme l’appareil', light: 'Clair', dark: 'Sombre', size: 'Taille du texte', hours: 'Heure', sound: 'Son', counts: 'Compter les non lus dans le titre et l’icône', notify: 'Notifications', language: 'Langue',
    found: '{n} sur {all}', foundNone: 'aucun', otherToken: 'Cette adresse apporte un autre jeton que le vôtre. L’utiliser ?', useToken: 'L’utiliser', full: 'Ici, on peut être dans {n} salons à la fois. Quittez-en un, et « {room} » s’ouvre.', ended: 'Vous n’êtes plus dans « {room} » : {why}', members: '{n} dedans', unreadRoom: '{n} nouveaux',
  },
  es: {
    yourName: 'Tu nombre', room: 'Sala', token: 'Token', join: 'Entrar', keepToken: 'Seguir como antes', rooms: 'Salas', close: 'Cerrar', joinRoom: 'Entrar en una sala', go: 'Ir',
    otherRooms: 'Otras en este servidor', more: 'Más', tryNow: 'Probar ahora', search: 'Buscar', previous: 'Anterior', next: 'Siguiente', messages: 'Mensajes', newer: 'Mensajes nuevos ↓',
    cancel: 'Cancelar', message: 'Mensaje', send: 'Enviar', readOnly: 'Aquí puedes leer, no escribir.', here: 'Aquí ahora', hereCount: '{n} aquí', connecting: 'Conectando…',
    waits: 'El servidor no puede aceptar mensajes ahora. Los tuyos esperan aquí y se enviarán en cuanto pueda.', waiting: 'Sin conexión. Nuevo intento en {n} s.', offline: 'Sin conexión', isTyping: 'escribe…', areTyping: 'escriben…', manyTyping: 'Varias personas escriben…', and: 'y',
    verified: 'verificado', you: 'tú', actions: 'Acciones para el mensaje de {name}', deleted: 'borrado', edited: 'editado', sending: 'enviando…', saving: 'guardando…', notSent: 'no enviado: {why}',
    volatile: 'no está en el disco', missing: 'Aquí faltan mensajes.', unread: 'Nuevo', joined: 'ha entrado', left: 'ha salido', andMore: 'y {n} más', beginning: 'No se guarda nada más antiguo.', empty: 'Aquí aún no se ha dicho nada.',
    reply: 'Responder', copy: 'Copiar', edit: 'Editar', delete: 'Borrar', deleteSure: '¿Borrar para todos?', resend: 'Enviar otra vez', discard: 'Descartar', editing: 'Editas tu mensaje', copied: 'Copiado.',
    tooLong: 'Son {n} bytes, y en un mensaje caben {max}. Envíalo en partes.', refused: 'El servidor no lo ha aceptado: {why}', invite: 'Invitar', inviteText: 'Quien está en la misma red abre esta dirección:', inviteLocal: 'Esta dirección vale solo en este aparato. Abre la página con la dirección que usan los demás.',
    settings: 'Ajustes', leave: 'Salir de esta sala', signOut: 'Cambiar nombre', theme: 'Colores', auto: 'Como el aparato', light: 'Claro', dark: 'Oscuro', size: 'Tamaño del texto', hours: 'Reloj', sound: 'Sonido', counts: 'Contar no leídos en título e icono', notify: 'Notificaciones', language: 'Idioma',
    found: '{n} de {all}', foundNone: 'ninguno', otherToken: 'Esta dirección trae otro token que el tuyo. ¿Usarlo?', useToken: 'Usarlo', full: 'Aquí se puede estar en {n} salas a la vez. Sal de una y «{room}» se abre.', ended: 'Ya no estás en «{room}»: {why}', members: '{n} dentro', unreadRoom: '{n} nuevos',
  },
};

export const languages = { en: 'English', de: 'Deutsch', fr: 'Français', es: 'Español' };

// language returns the one of the settings, else the first of the browser's that the page speaks.
export function language() {
  const wanted = [get('language'), ...navigator.languages ?? []].map((tag) => tag.slice(0, 2));
  return wanted.find((tag) => table[tag]) ?? 'en';
}

export function t(key, values = {}) {
  const text = table[language()][key] ?? table.en[key];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// translate has the markup say it in the language of the page.
export function translate() {
  document.documentElement.lang = language();
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll('[data-t-label]')) node.setAttribute('aria-label', t(node.dataset.tLabel));
  for (const node of document.querySelectorAll('[data-t-placeholder]')) node.placeholder = t(node.dataset.tPlaceholder);
}

// collator sorts names as people do.
export const collator = () => new Intl.Collator(language(), { sensitivity: 'base', numeric: true });

// Where the server is: behind a proxy it may be below a path. This file is served below assets/, in a folder of its
// content's hash or not.

export const base = new URL(import.meta.url.replace(/assets\/.*$/, ''));

// addressOf returns the address of a room's page.
export const addressOf = (room) => `${base.pathname}room/${encodeURIComponent(room)}`;

// roomOf returns the room that the address bar names, or ''.
export function roomOf(location) {
  const match = /^room\/([^/]+)$/.exec(location.pathname.slice(base.pathname.length));
  try {
    return match ? decodeURIComponent(match[1]) : '';
  } catch {
    return '';
  }
}

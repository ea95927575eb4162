// What happens is told to those who asked for it, by the client and by the browser. And what the parts of the client share: names,
// texts, refusals.

export class Events {
  #listeners = new Map(); // by type

  // on calls listener with what belongs to each event of a type from now on. It returns a function that ends that.
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => { listeners.delete(listener); };
  }

  // emit tells of an event. A listener that throws keeps no other from hearing of it, nor a connection from working.
  emit(type, ...values) {
    for (const listener of [...this.#listeners.get(type) ?? []]) {
      try {
        listener(...values);
      } catch (error) {
        if (globalThis.reportError) globalThis.reportError(error);
        else console.error(error);
      }
    }
  }
}

// sentence makes one of what the server says.
export function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}` : '';
}

// formOf returns the one form of a name that the server knows a room by: docs/protocol.md, section 1.
export const formOf = (name) => `${name}`.replace(/[\uff01-\uffee]/g, (wide) => wide.normalize('NFKC')).normalize();

// bytesOf returns how long a text is as the server counts.
export const bytesOf = (text = '') => new TextEncoder().encode(text).length;

// A Refusal is what a promise is rejected with: code is that of docs/protocol.md, section 6, or of this client: left, stopped,
// unsubscribed, and http_NNN for an answer that has none.
export class Refusal extends Error {
  constructor(code, text) {
    super(text);
    this.name = 'Refusal';
    this.code = code;
  }
}

// whenBack calls check when a browser says that the network or the user may be back, and returns a function that ends that.
// offline is no more than a hint: the board may be near all the same.
export function whenBack(check) {
  if (typeof document === 'undefined' || typeof addEventListener === 'undefined') return () => {};
  const look = () => { if (!document.hidden) check(); };
  const pairs = [[window, 'online'], [window, 'offline'], [window, 'pageshow'], [window, 'focus'], [document, 'visibilitychange'], [document, 'resume'], [navigator.connection, 'change']];
  for (const [target, type] of pairs) target?.addEventListener?.(type, look);
  return () => { for (const [target, type] of pairs) target?.removeEventListener?.(type, look); };
}

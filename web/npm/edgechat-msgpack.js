// Frames as MessagePack, of which they need maps, arrays, texts, numbers, true, false and nil: a client that asks for
// format "msgpack" loads it, others do not.

export const protocol = 'edgechat.v1.msgpack';

const DEPTH_MAX = 16; // of what is inside another; frames have three

// encode returns the bytes of a frame. What is undefined in it is left out, as JSON does.
export function encode(frame) {
  const bytes = [];
  put(bytes, frame);
  return new Uint8Array(bytes);
}

// decode returns the frame of an ArrayBuffer or of bytes, as JSON would have it: its times are texts. It throws what is no MessagePack.
export function decode(data) {
  const reader = new Reader(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
  const frame = reader.value(0);
  if (!reader.atEnd) throw new RangeError('msgpack: there is more behind the frame');
  if (typeof frame?.timestamp === 'number') frame.timestamp = new Date(frame.timestamp).toISOString();
  return frame;
}

function put(bytes, value) {
  if (value === null || value === undefined) {
    bytes.push(0xc0);
  } else if (typeof value === 'boolean') {
    bytes.push(value ? 0xc3 : 0xc2);
  } else if (typeof value === 'number') {
    putNumber(bytes, value);
  } else if (typeof value === 'string') {
    const text = new TextEncoder().encode(value);
    if (text.length < 32) bytes.push(0xa0 | text.length);
    else putHead(bytes, 0xda, text.length);
    for (const byte of text) bytes.push(byte); // a frame holds some thousands of them
  } else if (Array.isArray(value)) {
    putHead(bytes, 0xdc, value.length);
    for (const one of value) put(bytes, one);
  } else {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    if (entries.length < 16) bytes.push(0x80 | entries.length);
    else putHead(bytes, 0xde, entries.length);
    for (const [key, one] of entries) {
      put(bytes, key);
      put(bytes, one);
    }
  }
}

function putNumber(bytes, value) {
  if (Number.isInteger(value) && value >= 0 && value < 128) {
    bytes.push(value);
    return;
  }
  const eight = new Uint8Array(9);
  const view = new DataView(eight.buffer);
  eight[0] = Number.isSafeInteger(value) ? 0xd3 : 0xcb;
  if (eight[0] === 0xd3) view.setBigInt64(1, BigInt(value));
  else view.setFloat64(1, value);
  bytes.push(...eight);
}

// putHead writes a length in two bytes behind type, or in four behind the type that follows it.
function putHead(bytes, type, length) {
  if (length < 0x10000) bytes.push(type, length >> 8, length & 0xff);
  else bytes.push(type + 1, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
}

class Reader {
  #bytes; #view; #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd() { return this.#at === this.#bytes.length; }

  value(depth) {
    if (depth > DEPTH_MAX) throw new RangeError('msgpack: too deep');
    const type = this.#view.getUint8(this.#skip(1));
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#array(type & 0x0f, depth);
    if (type < 0xc0) return this.#text(type & 0x1f);
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xd9: return this.#text(this.#uint(1));
      case 0xda: return this.#text(this.#uint(2));
      case 0xdb: return this.#text(this.#uint(4));
      case 0xca: return this.#view.getFloat32(this.#skip(4));
      case 0xcb: return this.#view.getFloat64(this.#skip(8));
      case 0xcc: return this.#uint(1);
      case 0xcd: return this.#uint(2);
      case 0xce: return this.#uint(4);
      case 0xcf: return Number(this.#view.getBigUint64(this.#skip(8)));
      case 0xd0: return this.#view.getInt8(this.#skip(1));
      case 0xd1: return this.#view.getInt16(this.#skip(2));
      case 0xd2: return this.#view.getInt32(this.#skip(4));
      case 0xd3: return Number(this.#view.getBigInt64(this.#skip(8)));
      case 0xdc: return this.#array(this.#uint(2), depth);
      case 0xdd: return this.#array(this.#uint(4), depth);
      case 0xde: return this.#map(this.#uint(2), depth);
      case 0xdf: return this.#map(this.#uint(4), depth);
      default: throw new RangeError(`msgpack: type ${type} is in no frame`);
    }
  }

  // #skip goes n bytes on, and returns where they begin.
  #skip(n) {
    const at = this.#at;
    if (at + n > this.#bytes.length) throw new RangeError('msgpack: the frame ends too early');
    this.#at += n;
    return at;
  }

  #uint(size) {
    const at = this.#skip(size);
    return size === 1 ? this.#view.getUint8(at) : size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #text(length) {
    const at = this.#skip(length);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length));
  }

  #array(length, depth) {
    const array = [];
    for (let n = 0; n < length; n++) array.push(this.value(depth + 1));
    return array;
  }

  #map(length, depth) {
    const map = {};
    for (let n = 0; n < length; n++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' || key === '__proto__') throw new RangeError('msgpack: a key of that kind is in no frame');
      map[key] = this.value(depth + 1);
    }
    return map;
  }
}

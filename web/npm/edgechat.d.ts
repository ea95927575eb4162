// What docs/protocol.md of the project says, as types.

export interface Entry {
  key: string;
  room: string;
  type: 'message' | 'edit' | 'delete';
  content?: string;
  /** of the message that an edit or a deletion is about */
  id?: string;
  /** why the server does not take it; it is not sent again unless resend is called */
  failed?: string;
  /** the same as a code, which is that of a Refusal */
  code?: string;
}

/** Keeps what was not acknowledged over the end of a program. */
export interface Storage {
  load(): Entry[];
  put(entry: Entry): void;
  remove(entry: Entry): void;
}

export interface Options {
  /** the http(s) address of the server, with the path where a proxy has it */
  url: string | URL;
  /** default Anonymous; with a token, the token's name is used */
  username?: string;
  token?: string;
  storage?: Storage;
  /** shows that a message is ours, to edit or delete it; default a new one for each client */
  authorKey?: string;
  /** default the global one; in node before version 22 that of the package ws. Without any, plain HTTP, in three rooms at most and without typing */
  WebSocket?: unknown;
  /** of frames; default json. What listeners are given is the same */
  format?: 'json' | 'msgpack';
}

export interface Message {
  type: 'message';
  room: string;
  username: string;
  /** true: the name is that of a token; left out for every other name, so in all frames */
  verified?: boolean;
  content: string;
  timestamp: string;
  id: string;
  offset: number;
  edited?: boolean;
  deleted?: boolean;
}

export interface Revision {
  type: 'edited' | 'deleted';
  room: string;
  username: string;
  verified?: boolean;
  target: string;
  content?: string;
  timestamp: string;
  id: string;
  offset: number;
}

export interface Occurrence {
  type: 'joined' | 'left' | 'typing';
  room: string;
  username: string;
  verified?: boolean;
  timestamp: string;
}

export interface Subscribed {
  type: 'subscribed';
  room: string;
  id: string;
  offset: number;
  oldest?: string;
  was_recovering: boolean;
  recovered: boolean;
  username: string;
  verified?: boolean;
  /** what the caller may do in this room; moderate includes write, and write read */
  access: 'read' | 'write' | 'moderate';
  /** the code with which a message would be refused at this time: a rule of moderators, which may end; left out if none would */
  refused?: 'read_only' | 'muted';
  members: number;
  max_content_bytes: number;
  ping_interval_ms: number;
  /** addresses of other servers that have the same rooms; left out if there are none */
  nodes?: string[];
}

export interface Welcome {
  type: 'welcome';
  username: string;
  verified: boolean;
  max_content_bytes: number;
  max_rooms?: number;
  ping_interval_ms: number;
  /** as in Subscribed */
  nodes?: string[];
}

export interface Ack {
  id: string;
  offset: number;
  /** false: the server's disk does not take it, and it is in memory alone */
  durable: boolean;
}

export interface Member {
  username: string;
  verified?: boolean;
  connections: number;
  since: string;
}

/** the one form of the name of a room, which frames have: docs/protocol.md, section 1 */
export function formOf(name: string): string;

export class Refusal extends Error {
  /** as docs/protocol.md, section 6, has them; or left, stopped, unsubscribed, and http_NNN for an answer that has none */
  code: string;
}

export type State = 'connecting' | 'open' | 'waiting' | 'stopped';
type Off = () => void;

export class Client {
  readonly state: State | '';
  readonly username: string;
  readonly verified: boolean;
  readonly maxContentBytes: number;
  readonly maxRooms: number;
  /** the address of the server where we are, or try to be: another than that of the options if the server has named it, and is gone */
  readonly url: string;
  on(type: 'state', listener: (state: State, detail: { delay?: number; code?: string; text?: string }) => void): Off;
  /** the server can take nothing now, and what is said waits until it can; or no longer so */
  on(type: 'waits', listener: (on: boolean) => void): Off;
  on(type: 'welcome', listener: (frame: Welcome) => void): Off;
  on(type: 'error', listener: (refusal: Refusal) => void): Off;
  /** since: the id of a message, or 'all'; limit: how many are replayed at most the first time */
  join(room: string, options?: { since?: string; limit?: number; announce?: boolean }): Room;
  /** that room is joined first on a new connection, where there may be few: maxRooms, three without WebSockets */
  prefer(room: string): void;
  rooms(): Room[];
  /** the network may have changed, or somebody looks again */
  check(): void;
  stop(): void;
  request(path: string, query?: Record<string, string | number>): Promise<any>;
}

export class Room implements AsyncIterable<Message | Revision | { type: 'gap' }> {
  readonly name: string;
  readonly state: 'joining' | 'joined' | 'ended';
  /** the id of the last message */
  readonly cursor: string | null;
  on(type: 'subscribed' | 'gap', listener: (frame: Subscribed) => void): Off;
  on(type: 'message', listener: (frame: Message, live: boolean) => void): Off;
  on(type: 'revised', listener: (frame: Revision) => void): Off;
  on(type: 'event', listener: (frame: Occurrence) => void): Off;
  on(type: 'pending' | 'failed', listener: (entry: Entry) => void): Off;
  on(type: 'acked', listener: (entry: Entry, frame: Ack) => void): Off;
  on(type: 'error' | 'ended', listener: (refusal: Refusal) => void): Off;
  send(content: string): Promise<Ack>;
  edit(id: string, content: string): Promise<Ack>;
  delete(id: string): Promise<Ack>;
  resend(key: string): void;
  discard(key: string): void;
  typing(): void;
  pending(): Entry[];
  history(query?: { before?: string; since?: string; limit?: number }): Promise<{ room: string; id: string; oldest?: string; recovered: boolean; messages: (Message | Revision)[] }>;
  members(): Promise<Member[]>;
  leave(): void;
  [Symbol.asyncIterator](): AsyncIterator<Message | Revision | { type: 'gap' }>;
}

export function connect(options: Options): Client;

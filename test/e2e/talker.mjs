// A member who talks, with a record of what it was told: the same code in node and in a page, which is given its text.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { later, root } from './harness.mjs';

const client = pathToFileURL(path.join(root, 'web/npm/edgechat.js')).href;

// talker is told, in turn: "say N", with the number of messages; "check"; "report".
export function talker(connect, options) {
  const seen = { said: 0, ids: [], contents: [], acked: [], subscribed: 0, faults: [] };
  const client = connect(options);
  const room = client.join('den', { since: 'all' });
  room.on('subscribed', () => { seen.subscribed++; });
  room.on('message', (frame) => { seen.ids.push(frame.id); seen.contents.push(frame.content); if (isNaN(Date.parse(frame.timestamp))) seen.faults.push(`timestamp ${frame.timestamp}`); });
  room.on('acked', (entry, frame) => seen.acked.push([entry.content, frame.id]));
  for (const type of ['gap', 'failed', 'error', 'ended']) room.on(type, (what) => seen.faults.push(`${type}: ${JSON.stringify(what)}`));
  client.on('state', (state, detail) => { if (state === 'stopped' && detail.code) seen.faults.push(`stopped: ${detail.text}`); });
  return (command) => {
    const [verb, n] = command.split(' ');
    for (let m = 0; verb === 'say' && m < n; m++) room.send(`${options.username} ${seen.said++}`);
    if (verb === 'check') client.check();
    if (verb === 'stop') client.stop();
    return { ...seen, pending: room.pending().length };
  };
}

// In this node, with the package ws.
export async function here(t, options) {
  const { connect } = await import(client);
  const tell = talker(connect, options);
  later(t, () => tell('stop'));
  return async (command) => tell(command);
}

// In another node, which has a WebSocket of its own.
export async function inNode(t, executable, options) {
  const program = `
    import { createInterface } from 'node:readline';
    import { connect } from ${JSON.stringify(client)};
    const tell = (${talker})(connect, ${JSON.stringify(options)});
    for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(tell(line)));
    process.exit(0);`;
  const child = spawn(executable, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  later(t, async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (command) => {
    child.stdin.write(`${command}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`${executable} has ended`);
    return JSON.parse(value);
  };
}

// In a page of the server's origin.
export async function inPage(page, options) {
  await page.goto(`${options.url}/healthz`);
  await page.evaluate(`import('/edgechat.js').then(({ connect }) => { window.tell = (${talker})(connect, ${JSON.stringify(options)}); })`);
  return (command) => page.evaluate((command) => window.tell(command), command);
}

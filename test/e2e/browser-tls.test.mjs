// The page, and wss, in a browser that trusts the board's own authority, and in one that does not.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect, createServer as createTLS } from 'node:tls';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { launch, whole } from './chromium.mjs';
import { Server, freePort, later, until } from './harness.mjs';
import { Person, desktop, phone } from './person.mjs';

// home is a folder whose browser trusts the certificate in file, or nothing of its own without one.
function home(t, file) {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgechat-home-'));
  later(t, () => rmSync(folder, { recursive: true, force: true }));
  const database = path.join(folder, '.pki', 'nssdb');
  mkdirSync(database, { recursive: true });
  const certutil = (...args) => execFileSync('certutil', ['-d', `sql:${database}`, ...args]);
  certutil('-N', '--empty-password');
  if (file) certutil('-A', '-t', 'C,,', '-n', 'edgechat', '-i', file);
  return { ...process.env, HOME: folder };
}

// shown is the fingerprint of the certificate that a new connection is shown.
async function shown(port, ca) {
  const socket = connect({ port, host: '127.0.0.1', ca: readFileSync(ca) });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('a browser trusts the authority of the board once it is told so', async (t) => {
  const tls = await freePort();
  const server = await Server.start(t, '--tls-listen', `127.0.0.1:${tls}`, '--tls-cert', 'FOLDER/tls/server.crt', '--tls-key', 'FOLDER/tls/server.key');
  const folder = path.join(server.folder, 'tls');
  server.run('ca', 'init', '--folder', folder);
  await server.up();
  const authority = path.join(folder, 'ca.crt');

  await t.test('the page says that it does not, and which switches each phone has', async (t) => {
    const page = await (await launch(t, { program: whole, env: home(t) })).newPage(phone);
    await page.goto(`${server.http}/trust`);
    await page.getByRole('status').filter({ hasText: 'does not trust' }).waitFor();
    for (const [system, step] of [['iPhone', 'Certificate Trust Settings'], ['Android', 'CA certificate'], ['Windows', 'Trusted Root'], ['macOS', 'Always Trust'], ['Firefox', 'Authorities'], ['Linux', 'update-ca-certificates']]) {
      await page.getByRole('heading', { name: system }).waitFor();
      await page.getByText(step).first().waitFor();
    }
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'nothing is wider than the phone');
    await assert.rejects(page.goto(`https://127.0.0.1:${tls}/`), /ERR_CERT_AUTHORITY_INVALID/);
  });

  const browser = await launch(t, { program: whole, env: home(t, authority) });
  await t.test('and that it does', async () => {
    const page = await browser.newPage();
    await page.goto(`${server.http}/trust`);
    await page.getByRole('status').filter({ hasText: `wss://127.0.0.1:${tls} works` }).waitFor();
    await page.close();
  });

  await t.test('the chat is over wss, over a new certificate too', async () => {
    const page = await browser.newPage();
    const sockets = [];
    page.on('websocket', (ws) => sockets.push(ws.url()));
    await page.goto(`https://127.0.0.1:${tls}/healthz`);
    await page.evaluate(async (at) => {
      globalThis.chat = new WebSocket(`wss://${at}/chat/room/den?username=Ann`);
      globalThis.heard = [];
      globalThis.chat.onmessage = ({ data }) => globalThis.heard.push(JSON.parse(data));
      await new Promise((done, failed) => { globalThis.chat.onopen = done; globalThis.chat.onerror = failed; });
    }, `127.0.0.1:${tls}`);
    const before = await shown(tls, authority);
    server.run('ca', 'renew', '--folder', folder, '--now');
    server.process.kill('SIGHUP');
    await until('new certificate', async () => await shown(tls, authority) !== before);
    await page.waitForFunction(async () => {
      globalThis.chat.send(JSON.stringify({ type: 'message', content: 'still here' }));
      await new Promise((done) => { setTimeout(done, 50); });
      return globalThis.heard.some((frame) => frame.content === 'still here');
    });
    assert.deepEqual([...new Set(sockets)], [`wss://127.0.0.1:${tls}/chat/room/den?username=Ann`]);
    await page.close();
  });

  await t.test('its authority vouches for no other names', async (t) => {
    // A certificate for example.org by the very key of the authority.
    const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'other.key', '-out', 'other.csr', '-subj', '/CN=example.org', '-addext', 'subjectAltName=DNS:example.org');
    openssl('x509', '-req', '-in', 'other.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '30', '-copy_extensions', 'copy', '-out', 'other.crt');
    const foreign = createTLS({ key: readFileSync(path.join(folder, 'other.key')), cert: readFileSync(path.join(folder, 'other.crt')) }, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'));
    foreign.on('tlsClientError', () => {});
    foreign.listen(0, '127.0.0.1');
    await once(foreign, 'listening');
    later(t, () => foreign.close());
    const { port } = foreign.address();
    const page = await (await launch(t, { program: whole, env: home(t, authority), args: ['--host-resolver-rules=MAP example.org 127.0.0.1'] })).newPage();
    assert.equal((await page.goto(`https://127.0.0.1:${tls}/healthz`)).status(), 200, 'this browser does trust the authority');
    await assert.rejects(page.goto(`https://example.org:${port}/`), /ERR_CERT_(INVALID|NAME_CONSTRAINT_VIOLATION)/);
  });
});

test('the chat page over https', async (t) => {
  const tls = await freePort();
  const server = await Server.start(t, '--tls-listen', `127.0.0.1:${tls}`, '--tls-cert', 'FOLDER/tls/server.crt', '--tls-key', 'FOLDER/tls/server.key');
  const folder = path.join(server.folder, 'tls');
  server.run('ca', 'init', '--folder', folder);
  await server.up();
  const authority = path.join(folder, 'ca.crt');
  const secure = { http: `https://127.0.0.1:${tls}` };
  const browser = await launch(t, { program: whole, env: home(t, authority) });
  const ann = await Person.arrive(t, browser, phone);
  const bob = await Person.arrive(t, browser, desktop);
  const sockets = [];
  ann.page.on('websocket', (socket) => sockets.push(new URL(socket.url()).protocol));

  await t.test('two join and talk', async () => {
    await ann.join(secure, 'Ann', 'den');
    await bob.join(secure, 'Bob', 'den');
    await ann.say('from a phone');
    await bob.sees('from a phone');
    await bob.say('from a desk');
    await ann.sees('from a desk');
  });

  await t.test('a reload has it all', async () => {
    await ann.page.reload();
    await ann.connected();
    await ann.sees('from a phone');
    await ann.sees('from a desk');
  });

  await t.test('a restart loses nothing', async () => {
    await server.stop('SIGTERM');
    await ann.is('waiting');
    await ann.say('said to nobody');
    await server.up();
    await ann.connected();
    await bob.sees('said to nobody');
    await ann.settled();
  });

  await t.test('a new certificate changes nothing for who is there, and is what others get', async () => {
    const before = await shown(tls, authority);
    const opened = sockets.length;
    server.run('ca', 'renew', '--folder', folder, '--now');
    await until('new certificate', async () => await shown(tls, authority) !== before);
    await ann.say('over the old one');
    await bob.sees('over the old one');
    assert.equal(sockets.length, opened, 'the connection is the one of before');
    const carol = await Person.arrive(t, browser, phone);
    await carol.join(secure, 'Carol', 'den');
    await carol.say('over the new one');
    await ann.sees('over the new one');
    assert.deepEqual(carol.complaints, []);
  });

  assert.deepEqual([...new Set(sockets)], ['wss:']);
});

// What the tests of attacks share: a Chromium to which evil.example is this machine, a web server of the attacker's, and
// the payloads that others write.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { launch, whole } from './chromium.mjs';
import { later, until } from './harness.mjs';

// victim returns a browser to which it is as if the attacker's name server said so: DNS rebinding.
export const victim = (t) => launch(t, { program: whole, args: ['--host-resolver-rules=MAP evil.example 127.0.0.1'] });

// An Attacker has a site of its own, http://evil.example:PORT, whose every page is blank, but for what /echo is told to be.
export class Attacker {
  static async start(t) {
    const attacker = new Attacker();
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, 'http://evil.example');
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(pathname === '/echo' ? searchParams.get('html') : '<!doctype html><title>evil</title><body></body>');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    attacker.port = server.address().port;
    later(t, () => { server.close(); server.closeAllConnections(); });
    return attacker;
  }

  get site() { return `http://evil.example:${this.port}`; }
}

// run evaluates f with an argument in a page or a frame, which may use what is in library: functions, by their own names. A policy of
// the page has no say in it, as it would have in an eval.
export function run(frame, library, f, arg) {
  return frame.evaluate(`(() => { ${library.map(String).join('\n')}\n return (${f})(${JSON.stringify(arg)}); })()`);
}

// visit opens a page of its own profile, and counts the dialogs that scripts show and what a policy has refused.
export async function visit(t, browser, address) {
  const context = await browser.newContext();
  later(t, () => context.close());
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.dialogs = [];
  page.violations = [];
  page.on('dialog', (dialog) => { page.dialogs.push(dialog.message()); dialog.dismiss().catch(() => {}); });
  await page.exposeFunction('violated', (what) => page.violations.push(what));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => window.violated(event.effectiveDirective));
  });
  const answer = await page.goto(address);
  return { page, context, answer };
}

// refusals returns how many requests a server has refused with this code.
export async function refusals(server, code) {
  const text = await (await fetch(`${server.http}/metrics`)).text();
  const line = text.split('\n').find((l) => l.startsWith('edgechat_requests_refused_total{') && l.includes(`reason="${code}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

// insert makes markup of them, but for those that take the page away or hide it.
export function insert(page) {
  return page.evaluate((list) => { for (const html of list) document.body.insertAdjacentHTML('beforeend', `<div>${html}</div>`); }, payloads.filter((html) => !/<base|<form|<style/.test(html)));
}

export function refusedSince(server, code, before, what) {
  return until(`refusal of ${what} with ${code}`, async () => await refusals(server, code) > before);
}

// said returns the contents of a room.
export async function said(server, room) {
  const { messages } = await (await fetch(`${server.http}/chat/room/${room}/messages?limit=200`)).json();
  return messages.map((m) => m.content);
}

// Each of these is a script that runs, or a link that would, where it becomes markup; nine show a dialog by themselves there, and the second in a document alone.
export const payloads = [
  '<img src=x onerror="alert(1)">',
  '<svg onload=alert(2)></svg>',
  '<svg><animate onbegin=alert(3) attributeName=x dur=1s></svg>',
  '<iframe srcdoc="<script>parent.alert(4)</script>"></iframe>',
  '<details open ontoggle=alert(5)>x</details>',
  '<input autofocus onfocus=alert(6)>',
  '"><img src=x onerror=alert(7)>',
  '\'><img src=x onerror=alert(8)>',
  '</title></script></style></textarea><img src=x onerror=alert(9)>',
  '<iframe src="javascript:parent.alert(10)"></iframe>',
  '<script>alert(11)</script>',
  '<a href="javascript:alert(12)">look</a>',
  'javascript:alert(13)',
  '<base href="http://evil.example/"><meta http-equiv="refresh" content="0;url=http://evil.example/">',
  '<form action="http://evil.example/"><button>Send</button></form>',
  '<style>* { display: none }</style>',
  '{{constructor.constructor("alert(14)")()}} ${alert(15)} <%= alert(16) %>',
  '\u202egpj.exe\u202c \u2067abc\u2069 \u200ftxet',
  '&lt;img src=x onerror=alert(17)&gt; &#x3c;script&#x3e;alert(18)&#x3c;/script&#x3e;',
];
export const effective = 9; // how many of them show a dialog where a script inserts them, see above

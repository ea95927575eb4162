// The page that edgechat export --html writes, in a real browser. EDGECHAT_SHOTS=FOLDER keeps pictures of it.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { launch } from './chromium.mjs';
import { Server } from './harness.mjs';
const said = [
  ['Ann', 'Morning! Who takes the boat out today?'],
  ['Ann', '<script>alert(1)</script> & <img src=x onerror=alert(2)> <b>bold</b>'],
  ['"><img src=x onerror=alert(3)>', '</p></div></section><style>* { display: none }</style><meta http-equiv=refresh content=0>'],
  ['مرحبا', 'كيف حالكم اليوم؟ نلتقي عند المرسى'],
  ['Bob', `https://example.org/${'a-very-long-path/'.repeat(20)}`],
  ['Bob', 'line one\n  line two, indented\n\nline four'],
  ['a name of thirty-two characters.', 'x'.repeat(400)],
];

test('the page of an export', async (t) => {
  const server = await (await Server.start(t, '--rate', '0')).up();
  const room = `${server.http}/chat/room/den/messages`;
  const call = async (method, address, body, key) => {
    const headers = { 'Author-Key': encodeURIComponent(key), ...body === undefined ? {} : { 'Content-Type': 'text/plain' } };
    const response = await fetch(address, { method, headers, body });
    assert.ok(response.ok, `${method} ${address}: ${response.status} ${await response.clone().text()}`);
    return response.json();
  };
  const ids = [];
  for (const [name, text] of [...said, ['Bob', 'this one is to be gone'], ['Ann', 'the first word']]) {
    ids.push((await call('POST', `${room}?username=${encodeURIComponent(name)}`, text, name)).id);
  }
  await call('PATCH', `${room}/${ids.at(-1)}?username=Ann`, 'the last word', 'Ann');
  await call('DELETE', `${room}/${ids.at(-2)}?username=Bob`, undefined, 'Bob');
  await server.stop();
  const file = path.join(server.folder, 'den.html');
  writeFileSync(file, server.run('export', '--html', 'den', '--data', 'FOLDER/data'));

  const browser = await launch(t);
  for (const [width, height] of [[360, 740], [1280, 800]]) {
    for (const colorScheme of ['light', 'dark']) {
      await t.test(`${width} x ${height}, ${colorScheme}`, async () => {
        const page = await browser.newPage({ viewport: { width, height }, colorScheme });
        const complaints = [];
        page.on('dialog', (dialog) => { complaints.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
        page.on('request', (request) => { if (request.url() !== pathToFileURL(file).href) complaints.push(`asks for ${request.url()}`); });
        page.on('console', (message) => complaints.push(message.text()));
        page.on('pageerror', (error) => complaints.push(error.message));
        await page.goto(pathToFileURL(file).href);
        const texts = await page.locator('.said p').allTextContents();
        assert.deepEqual(texts, [...said.map(([, text]) => text), 'the last word']);
        assert.deepEqual(await page.locator('.by > b').allTextContents(), [...new Set(said.map(([name]) => name)), 'Ann']);
        assert.match(await page.locator('.mark').textContent(), /^edited \d\d:\d\d$|^edited \d+ \w+ \d{4}, \d\d:\d\d$/);
        assert.ok(!(await page.content()).includes('to be gone'), 'what was deleted is on the page');
        const seen = await page.evaluate(() => {
          // The contrast of a text with what is behind it (WCAG 2.2, 1.4.3).
          const luminance = (color) => {
            const [r, g, b] = color.match(/[\d.]+/g).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = (e) => { const c = getComputedStyle(e).backgroundColor; return c === 'rgba(0, 0, 0, 0)' ? behind(e.parentElement) : c; };
          const contrast = (e) => { const [a, b] = [getComputedStyle(e).color, behind(e)].map(luminance).sort((x, y) => x - y); return (b + 0.05) / (a + 0.05); };
          return {
            wide: document.documentElement.scrollWidth, strange: document.querySelectorAll('img, script, b b, p *, meta[http-equiv=refresh]').length,
            faint: [...document.querySelectorAll('h1, header p, h2, .by > b, .said p, .said a, .mark, footer')].filter((e) => contrast(e) < 4.5).map((e) => e.outerHTML),
          };
        });
        assert.deepEqual(seen, { wide: width, strange: 0, faint: [] });
        assert.deepEqual(complaints, []);
        if (process.env.EDGECHAT_SHOTS) await page.screenshot({ path: path.join(process.env.EDGECHAT_SHOTS, `export-${width}-${colorScheme}.png`) });
        await page.close();
      });
    }
  }
});

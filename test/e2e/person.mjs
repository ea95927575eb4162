// A person at the web page, in a real browser, whose console stays empty and whose page asks nobody but its server.
// EDGECHAT_SHOTS=FOLDER keeps pictures of it.

import assert from 'node:assert/strict';
import path from 'node:path';
import { away, later, until } from './harness.mjs';

export const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: 'dark' };
export const desktop = { viewport: { width: 1280, height: 800 }, colorScheme: 'light' };
// What everything has to work in.
export const looks = [phone, { ...phone, colorScheme: 'light' }, desktop, { ...desktop, colorScheme: 'dark' }];

// What a browser reports by itself of a server that is gone, or refuses; a script has no say in it.
export const network = /WebSocket connection to|net::ERR_|Failed to load resource/;

// A person at a page of their own: another browser profile, so nothing is shared.
export class Person {
  static async arrive(t, browser, options = desktop) {
    const person = new Person();
    person.context = await browser.newContext(options);
    person.page = await person.context.newPage();
    person.page.setDefaultTimeout(30_000);
    person.complaints = [];
    person.excused = null; // what complaints may match from now on
    const misses = (text) => /WebSocket connection to|net::ERR_/.test(text) && [...away].some((host) => text.includes(host));
    const complain = (text) => { if (!person.excused?.test(text) && !misses(text)) person.complaints.push(text); };
    person.page.on('pageerror', (error) => complain(error.message));
    person.page.on('console', (message) => {
      // A browser asks for /favicon.ico where a document names no icon; our page does.
      if (message.location().url.endsWith('/favicon.ico')) return;
      if (['error', 'warning'].includes(message.type())) complain(`${message.text()} ${message.location().url}`);
    });
    person.elsewhere = [];
    person.knows = new Set(); // hosts besides, of which the server has told
    const asks = (address) => { if (/^(https?|wss?):/.test(address) && ![person.at(), ...person.knows].includes(new URL(address).host)) person.elsewhere.push(address); };
    person.page.on('request', (request) => { if (!request.isNavigationRequest()) asks(request.url()); });
    person.page.on('websocket', (socket) => asks(socket.url()));
    later(t, async () => {
      await person.context.close();
      assert.deepEqual([person.complaints, person.elsewhere], [[], []], 'a complaint in the console, or a request to elsewhere');
    });
    return person;
  }

  // at is the host whose page it is.
  at() { return new URL(this.page.url()).host; }

  async join(server, name, room) {
    await this.page.goto(server.http);
    await this.enter(name, room);
    await this.connected();
  }

  async enter(name, room) {
    await this.page.locator('#name').fill(name);
    await this.page.locator('#room').fill(room);
    await this.back();
  }

  // back is for who stands at the door with a name.
  back() { return this.page.getByRole('button', { name: 'Join', exact: true }).click(); }

  async here(n) {
    const state = this.page.locator('#state');
    await state.getByText(`${n} here`).waitFor().catch(async () => {
      assert.fail(`want ${n} here, the page says ${JSON.stringify(await state.textContent())}: ${await this.people()}, line is ${await this.page.locator('html').getAttribute('data-connection')}`);
    });
  }

  // go changes to a room over the list of rooms.
  async go(room) {
    const button = this.page.locator('#rooms-button');
    if (await button.isVisible()) await button.click();
    await this.page.locator('#room-name').fill(room);
    await this.page.locator('#room-form button').click();
    await this.page.locator('#title').getByText(room, { exact: true }).waitFor();
  }

  // wake is what a browser tells of that its user or its network is back.
  wake() { return this.page.evaluate(() => window.dispatchEvent(new Event('online'))); }

  people() { return this.page.locator('#people-list .name').allTextContents(); }

  is(state) { return this.page.locator(`html[data-connection=${state}]`).waitFor({ state: 'attached' }); }

  async menu(name) {
    await this.page.locator('#menu-button').click();
    await this.page.getByRole('button', { name, exact: true }).click();
  }

  async connected() {
    await this.is('open');
    await this.page.locator('#state').getByText('here').waitFor();
  }

  async say(text) {
    await this.page.locator('#text').fill(text);
    await this.page.keyboard.press('Enter');
  }

  sees(text) { return this.page.locator('#log').getByText(text, { exact: true }).first().waitFor(); }

  // said returns the messages on the page; waiting has those that are not acknowledged.
  said() { return this.page.locator('#log .message .text').allTextContents(); }

  settled() { return until('acknowledgement of all', async () => await this.page.locator('#log .pending').count() === 0); }

  async shot(name) {
    if (process.env.EDGECHAT_SHOTS) await this.page.screenshot({ path: path.join(process.env.EDGECHAT_SHOTS, `${name}.png`) });
  }
}

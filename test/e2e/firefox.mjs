// Firefox over WebDriver BiDi, which it speaks by itself: no driver between. As much of it as one test needs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import WebSocket from 'ws';
import { later, until } from './harness.mjs';

export const executable = process.env.EDGECHAT_FIREFOX ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync);

// What a fresh profile asks of Mozilla is not asked.
const settings = { 'app.update.enabled': false, 'browser.shell.checkDefaultBrowser': false, 'datareporting.policy.dataSubmissionEnabled': false, 'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false, 'network.connectivity-service.enabled': false, 'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'browser.safebrowsing.malware.enabled': false, 'browser.safebrowsing.phishing.enabled': false, 'browser.startup.page': 0, 'toolkit.telemetry.server': '' };

export class Firefox {
  #socket; #last = 0; #waits = new Map();
  complaints = []; // what consoles hold

  static async launch(t) {
    const firefox = new Firefox();
    const profile = mkdtempSync(path.join(tmpdir(), 'edgechat-firefox-'));
    writeFileSync(path.join(profile, 'user.js'), Object.entries(settings).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(''));
    const child = spawn(executable, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'], { env: { ...process.env, HOME: profile }, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => { said += data; });
    later(t, async () => {
      if (child.exitCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    });
    const address = await until('address of Firefox', () => {
      assert.equal(child.exitCode, null, said);
      return /ws:\/\/[\d.]+:\d+/.exec(said)?.[0];
    });
    firefox.#socket = new WebSocket(`${address}/session`);
    firefox.#socket.on('message', (data) => firefox.#heard(JSON.parse(data)));
    await once(firefox.#socket, 'open');
    await firefox.command('session.new', { capabilities: {} });
    await firefox.command('session.subscribe', { events: ['log.entryAdded'] });
    return firefox;
  }

  #heard(frame) {
    if (frame.method === 'log.entryAdded' && ['error', 'warn'].includes(frame.params.level)) this.complaints.push(frame.params.text);
    const wait = this.#waits.get(frame.id);
    this.#waits.delete(frame.id);
    if (frame.type === 'success') wait?.done(frame.result);
    else wait?.fail(new Error(`Firefox: ${frame.error}: ${frame.message}`));
  }

  command(method, params) {
    const id = ++this.#last;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((done, fail) => { this.#waits.set(id, { done, fail }); });
  }

  // page opens a tab of a profile of its own.
  async page(width, height) {
    const { userContext } = await this.command('browser.createUserContext', {});
    const { context } = await this.command('browsingContext.create', { type: 'tab', userContext });
    await this.command('browsingContext.setViewport', { context, viewport: { width, height } });
    return new Page(this, context);
  }
}

class Page {
  #firefox; #context;

  constructor(firefox, context) {
    this.#firefox = firefox;
    this.#context = context;
  }

  goto(url) { return this.#firefox.command('browsingContext.navigate', { context: this.#context, url, wait: 'complete' }); }

  // run returns what an expression is in the page, as JSON has it.
  async run(expression) {
    const answer = await this.#firefox.command('script.evaluate', { expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`, target: { context: this.#context }, awaitPromise: true });
    if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text);
    return JSON.parse(answer.result.value);
  }

  // type presses keys, where the focus is.
  type(text) {
    const actions = [...text].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    return this.#firefox.command('input.performActions', { context: this.#context, actions: [{ type: 'key', id: 'keyboard', actions }] });
  }

  until(what, expression) { return until(what, () => this.run(expression)); }
}

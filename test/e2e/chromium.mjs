// Debian's Chromium, in its two builds: without windows, which takes half of the processor, and the whole browser for what
// depends on it: tabs that sleep, certificates, who may ask what of whom, and how long a page takes.

import { chromium } from 'playwright-core';
import { later } from './harness.mjs';

export const shell = process.env.EDGECHAT_CHROMIUM ?? '/usr/bin/chromium-headless-shell';
export const whole = process.env.EDGECHAT_CHROMIUM ?? '/usr/bin/chromium';
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// launch returns a browser that is closed when the test t is over.
export async function launch(t, { program = shell, env = process.env, args = [] } = {}) {
  const browser = await chromium.launch({ executablePath: program, args: [...flags, ...args], env });
  later(t, () => browser.close());
  return browser;
}

// asleep stops what runs the pages, as a device does that sleeps, and returns what wakes it. A tab that is seen cannot be frozen,
// and those of playwright always are.
export async function asleep(t, browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const pids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  const signal = (name) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch (error) { // ESRCH: a browser ends those that show nothing when it likes
        if (error.code !== 'ESRCH') throw error;
      }
    }
  };
  const wake = () => signal('SIGCONT');
  later(t, wake);
  signal('SIGSTOP');
  return wake;
}

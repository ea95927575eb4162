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

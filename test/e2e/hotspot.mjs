// A board that is its own Wi-Fi, and a phone in it: two network namespaces with a cable for the radio, dnsmasq as
// NetworkManager runs it, with the lines that "edgechat hotspot" prints, and a browser on the phone. All of it ends with the test.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { whole } from './chromium.mjs';
import { later, until } from './harness.mjs';

export const board = '10.42.0.1';

// missing says why there can be no hotspot here, or returns false.
export function missing() {
  if (process.getuid() !== 0) return 'only root may make a network';
  return ['ip', 'unshare', 'nsenter', 'dnsmasq', 'curl', 'nft'].some((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) && 'ip, unshare, nsenter, dnsmasq, curl or nft is not installed';
}

export class Hotspot {
  static async start(t, server) {
    const hotspot = new Hotspot();
    hotspot.server = server;
    hotspot.folder = server.folder;
    hotspot.lines = server.run('hotspot', '--wifi', 'hut');
    const [, dnsmasq] = /\/edgechat\.conf <<'END'\n(.*?)END\n/s.exec(hotspot.lines);
    const confs = path.join(server.folder, 'dnsmasq-shared.d');
    mkdirSync(confs);
    writeFileSync(path.join(confs, 'edgechat.conf'), dnsmasq);
    writeFileSync(path.join(server.folder, 'resolv.conf'), `nameserver ${board}\n`);

    hotspot.board = await namespace(t);
    hotspot.phone = await namespace(t);
    run('ip', 'link', 'add', 'wlan0', 'netns', hotspot.board, 'type', 'veth', 'peer', 'name', 'wlan0', 'netns', hotspot.phone);
    hotspot.atBoard('ip', 'address', 'add', `${board}/24`, 'dev', 'wlan0');
    for (const at of [hotspot.atBoard, hotspot.atPhone]) {
      at('ip', 'link', 'set', 'lo', 'up');
      at('ip', 'link', 'set', 'wlan0', 'up');
    }
    hotspot.atPhone('mount', '--bind', path.join(server.folder, 'resolv.conf'), '/etc/resolv.conf');
    const child = spawn('nsenter', ['-t', hotspot.board, '-n', 'dnsmasq', '--conf-file=/dev/null', '--no-hosts', '--keep-in-foreground', '--bind-interfaces', '--except-interface=lo',
      '--clear-on-reload', '--strict-order', `--listen-address=${board}`, '--dhcp-range=10.42.0.10,10.42.0.254,60m', '--dhcp-lease-max=50', `--dhcp-leasefile=${path.join(server.folder, 'leases')}`,
      '--pid-file=', '--user=root', `--conf-dir=${confs}`], { stdio: ['ignore', 'ignore', 'inherit'] });
    later(t, () => child.kill('SIGKILL'));
    hotspot.is(10);
    await until('answer of dnsmasq', () => hotspot.probe('http://anything.example:9/').includes('Failed to connect'));
    return hotspot;
  }

  atBoard = (...command) => run('nsenter', '-t', this.board, '-n', ...command);
  atPhone = (...command) => run('nsenter', '-t', this.phone, '-n', '-m', ...command);

  // is makes the phone another one: that with this number.
  is(n) {
    this.atPhone('ip', 'address', 'flush', 'dev', 'wlan0', 'scope', 'global');
    this.atPhone('ip', 'address', 'add', `10.42.0.${n}/24`, 'dev', 'wlan0');
    this.atPhone('ip', 'route', 'replace', 'default', 'via', board);
  }

  // probe asks as a phone does: "302 LOCATION BODY".
  probe(url, ...args) {
    const { stdout, stderr } = spawnSync('nsenter', ['-t', this.phone, '-n', '-m', 'curl', '-sS', '-m', '10', '-w', '%{stderr}%{http_code} %{redirect_url}', ...args, url], { encoding: 'utf8' });
    return `${stderr} ${stdout}`;
  }

  // serve has the server run on the board, and listen there.
  serve(t, listen, ...flags) {
    const binary = path.resolve(process.env.EDGECHAT_BIN ?? path.join(import.meta.dirname ?? '.', '../../bin/edgechat'));
    const args = ['-t', this.board, '-n', binary, 'serve', '--listen', listen, '--data', path.join(this.folder, `data${listen}`), ...flags];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => { log += chunk; });
    later(t, () => child.kill('SIGKILL'));
    return until('start of the server', () => {
      assert.equal(child.exitCode, null, log);
      return log.includes('msg=access');
    });
  }

  // browser writes a program that is Chromium on the phone.
  browser() {
    const file = path.join(this.folder, 'chromium');
    writeFileSync(file, `#!/bin/sh\nexec nsenter -t ${this.phone} -n -m ${whole} "$@"\n`, { mode: 0o755 });
    return file;
  }
}

function run(...command) {
  return execFileSync(command[0], command.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

// namespace returns the process that holds a network and mounts of its own. What is unmounted outside is unmounted there
// too: it would stay in use else.
async function namespace(t) {
  const child = spawn('unshare', ['--net', '--mount', '--propagation', 'slave', 'sh', '-c', 'echo ready; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] });
  later(t, () => child.kill('SIGKILL'));
  await new Promise((done) => { child.stdout.once('data', done); });
  return String(child.pid);
}

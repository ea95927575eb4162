// Debian's Redis, on a unix socket of its own.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { later, until } from './harness.mjs';

// missing says why there is none here, or returns false.
export const missing = () => spawnSync('redis-server', ['--version']).status !== 0 && 'there is no redis-server';

export class Redis {
  static async start(t) {
    const redis = new Redis();
    redis.folder = mkdtempSync(path.join(tmpdir(), 'redis-')); // a path of a socket is short
    redis.socket = path.join(redis.folder, 's');
    later(t, async () => {
      await redis.kill();
      rmSync(redis.folder, { recursive: true, force: true });
    });
    return redis.up();
  }

  get address() { return `unix:${this.socket}`; }

  async up() {
    this.process = spawn('redis-server', ['--port', '0', '--unixsocket', this.socket, '--dir', this.folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always',
      '--logfile', path.join(this.folder, 'log')], { stdio: 'ignore' });
    await until('answer of redis-server', () => new Promise((done) => {
      const socket = connect(this.socket, () => socket.write('PING\r\n'));
      socket.on('error', () => done(false));
      socket.on('data', (data) => {
        socket.destroy();
        done(`${data}`.startsWith('+PONG'));
      });
    }));
    return this;
  }

  async kill() {
    const child = this.process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

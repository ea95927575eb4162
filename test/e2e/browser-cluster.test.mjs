// Two nodes of a cluster, and people at the pages of both: what is said at one is read at the other, a page whose node is gone goes on at the
// other, and while the engine is away what is said waits on the page.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './chromium.mjs';
import { Server, until } from './harness.mjs';
import { Person, phone } from './person.mjs';
import { Redis, missing } from './redis.mjs';

const node = async (t, redis, name) => {
  const server = await Server.start(t, '--cluster', redis.address, '--node-name', name);
  server.flags.push('--advertise', server.http);
  return server.up();
};
const knows = (server, other) => until(`word of ${other.http} at ${server.http}`, async () => (await fetch(server.http)).headers.get('Content-Security-Policy').includes(other.http));
const members = async (server) => (await (await fetch(`${server.http}/chat/room/den/members`)).json()).members.map(({ username, connections }) => `${username} ${connections}`).sort();

test('two nodes, a page on each', { skip: missing() }, async (t) => {
  const redis = await Redis.start(t);
  const [attic, cellar] = await Promise.all([node(t, redis, 'attic'), node(t, redis, 'cellar')]);
  await Promise.all([knows(attic, cellar), knows(cellar, attic)]);
  const [forAnn, forBen] = await Promise.all([launch(t), launch(t)]);
  const ann = await Person.arrive(t, forAnn, { ...phone, colorScheme: 'light' });
  const ben = await Person.arrive(t, forBen, phone);
  ann.knows.add(new URL(cellar.http).host);
  const said = [];
  const both = async () => { for (const person of [ann, ben]) await until('all that was said, once', async () => (await person.said()).join() === said.join()); };
  const say = async (person, text) => {
    said.push(text);
    await person.say(text);
  };

  await t.test('they see each other come, and talk', async () => {
    await ann.join(attic, 'Ann', 'den');
    await ben.join(cellar, 'Ben', 'den');
    await Promise.all([ann.here(2), ben.here(2)]);
    await ann.page.locator('#log .note').getByText(/Ben joined/).waitFor();
    await say(ann, 'hello from the attic');
    await ben.sees('hello from the attic');
    await say(ben, 'and from the cellar');
    await both();
    const cy = await attic.connect('den', { username: 'Cy' });
    await Promise.all([ann.here(3), ben.here(3)]);
    await cy.close();
    await Promise.all([ann.here(2), ben.here(2)]);
  });

  await t.test('a node is killed, and its page goes on at the other', async () => {
    await attic.stop('SIGKILL');
    await say(ann, 'is anybody there?'); // her page does not know yet, or is on its way
    await ben.sees('is anybody there?');
    await say(ben, 'yes, you are in the cellar now');
    await both();
    await until('nobody but those two', async () => (await members(cellar)).join() === 'Ann 1,Ben 1'); // the node that is silent has lost its Ann
    await Promise.all([ann.is('open'), ann.settled(), ann.here(2), ben.here(2)]);
    await ann.shot('cluster-moved');
    assert.equal(new URL(ann.page.url()).host, new URL(attic.http).host);
  });

  await t.test('the engine is away, and what is said waits', async () => {
    await attic.up();
    await redis.kill();
    await say(ann, 'who took the engine?');
    await ann.page.locator('#waits').getByText('Yours wait here').waitFor();
    await say(ann, 'I go on all the same');
    await ann.page.locator('#log .pending').getByText('I go on all the same').waitFor();
    await ann.shot('cluster-waits');
    assert.equal((await ann.said()).at(-1), 'I go on all the same');
    assert.ok(!(await ben.said()).includes('who took the engine?'));
    const answer = await fetch(`${cellar.http}/chat/room/den/messages?username=nas`, { method: 'POST', body: 'x', headers: { 'Content-Type': 'text/plain' } });
    assert.deepEqual([answer.status, (await answer.json()).error.code, Number(answer.headers.get('Retry-After')) > 0], [503, 'unavailable', true]);

    await redis.up();
    await ben.sees('I go on all the same');
    await both();
    await ann.settled();
    await ann.page.locator('#waits').waitFor({ state: 'hidden' });
    await ann.shot('cluster-back');
    for (const server of [attic, cellar]) {
      await until('all that was said at each node, once', async () => (await server.stored('den')).map(({ content }) => content).join() === said.join());
    }
    assert.deepEqual(await attic.stored('den'), await cellar.stored('den'));
    for (const person of [ann, ben]) assert.deepEqual(await person.said(), said);
  });
});

// Tokens: of a page of another origin that is allowed, of a room that they are not for, of a second tab, of a link.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Attacker, victim, visit } from './attacker.mjs';
import { Server, until } from './harness.mjs';
import { Person, network } from './person.mjs';

test('tokens', async (t) => {
  const browser = await victim(t);
  const other = await Attacker.start(t);
  const server = await Server.start(t, '--tokens', 'FOLDER/tokens', '--allowed-origins', other.site);
  const create = (...args) => server.run('token', 'create', ...args, '--tokens', 'FOLDER/tokens').trim();
  const [tara, uma] = [create('Tara', '--rooms', 'den,attic'), create('Uma')];
  await server.up();

  await t.test('a bad one stops the client of another origin, and says why', async (t) => {
    const { page } = await visit(t, browser, other.site);
    let asked = 0;
    page.on('websocket', () => { asked++; });
    // connect returns the states of a client until it has stopped, or is open.
    const connect = (token) => page.evaluate(async ([url, token]) => {
      const { connect } = await import(`${url}/edgechat.js`);
      const client = connect({ url, token });
      const states = [];
      await new Promise((done) => {
        client.on('state', (state, { code, text }) => {
          states.push(code ? `${state}: ${code}: ${text}` : state);
          if (state === 'open' || state === 'stopped') done();
        });
      });
      const name = client.username;
      client.stop();
      return [name, states.slice(0, 2)];
    }, [server.http, token]);
    const [, [, stopped]] = await connect('edgechat_nobody');
    assert.match(stopped, /^stopped: unauthorized: .*token/);
    assert.equal(asked, 1, 'it does not try again');
    assert.deepEqual(await connect(uma), ['Uma', ['connecting', 'open']]);
  });

  await t.test('a room that it is not for keeps it, and so does a second tab', async (t) => {
    const person = await Person.arrive(t, browser);
    await person.page.goto(`${server.http}/room/den#token=${tara}`);
    await person.connected();
    await person.page.locator('#room-name').fill('vault');
    await person.page.locator('#room-form button').click();
    await person.page.locator('#notice').getByText('vault').waitFor();
    await person.go('attic');
    await person.connected();
    await person.page.goto(`${server.http}/room/vault`); // by its address
    await person.page.locator('#notice, #refusal').filter({ visible: true, hasText: /room/ }).first().waitFor();
    await person.page.goto(`${server.http}/room/den`);
    await person.connected();
    assert.deepEqual(await person.people(), ['Tara✓']);

    const tab = await person.context.newPage();
    await tab.goto(`${server.http}/room/den`);
    await tab.locator('html[data-connection=open]').waitFor({ state: 'attached' });
    await tab.locator('#people-list').getByText('Tara').waitFor();
  });

  await t.test('a link does not take away the one that one has', async (t) => {
    const person = await Person.arrive(t, browser);
    await person.page.goto(`${server.http}/room/den#token=${tara}`);
    await person.connected();
    for (const choice of ['Go on as before', 'Use it']) {
      await person.page.goto(`${server.http}/room/den?token=edgechat_nobody`);
      await person.page.locator('#refusal').getByText('another token').waitFor();
      assert.equal(new URL(person.page.url()).search, '', 'the address no longer holds it');
      person.excused = network; // 401
      await person.page.getByRole('button', { name: choice }).click();
      if (choice === 'Use it') { // the server does not know it: what one had is there again
        await person.page.locator('#refusal').getByText(/token/).waitFor();
        await until('the refusal', async () => !/another token/.test(await person.page.locator('#refusal').textContent()));
        await person.back();
      }
      await person.connected();
      assert.deepEqual(await person.people(), ['Tara✓']);
      person.excused = null;
    }
    await person.page.goto(`${server.http}/room/den?token=${uma}`);
    await person.page.getByRole('button', { name: 'Use it' }).click();
    await person.connected();
    assert.deepEqual(await person.people(), ['Uma✓']);

    // Once the server has taken it, it takes nobody back to the one before.
    server.run('token', 'revoke', 'Uma', '--tokens', 'FOLDER/tokens');
    server.process.kill('SIGHUP');
    await person.page.locator('#refusal').getByText(/token/).waitFor();
    assert.equal(await person.page.evaluate(() => localStorage.getItem('edgechat.token')), null);
  });
});

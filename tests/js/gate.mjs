// SPDX-License-Identifier: Apache-2.0
// gate - a TCP relay in front of a server, which can lose connections: a train
// that goes into a tunnel; or hold back what comes: a proxy that buffers.
import { connect, createServer } from 'node:net';

export async function openGate(origin) {
  const { hostname, port } = new URL(origin);
  const pairs = new Set();
  let isShut = false;
  let cutAfter = Infinity; // bytes to the client, of each connection
  let accepted = 0;
  let holdMs = 0; // what comes to the client is passed on so often, 0: at once
  const relay = createServer((client) => {
    accepted += 1;
    if (isShut) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(Number(port), hostname);
    const end = () => { pairs.delete(end); client.destroy(); server.destroy(); };
    let sent = 0;
    pairs.add(end);
    for (const socket of [client, server]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    client.pipe(server);
    server.on('data', (bytes) => {
      const left = cutAfter - sent;
      sent += bytes.length;
      if (holdMs) {
        client.cork();
        setTimeout(() => client.uncork(), holdMs - (Date.now() % holdMs));
      }
      client.write(bytes.subarray(0, Math.max(left, 0)));
      if (left <= bytes.length) end();
    });
  });
  await new Promise((done) => { relay.listen(0, '127.0.0.1', done); });
  const cut = () => { for (const end of [...pairs]) end(); };
  return {
    origin: `http://127.0.0.1:${relay.address().port}`,
    cut,
    shut: () => { isShut = true; cut(); },
    open: () => { isShut = false; },
    hold: (ms) => { holdMs = ms; },
    cutAfter: (bytes) => { cutAfter = bytes; },
    get accepted() { return accepted; },
    close: () => new Promise((done) => { cut(); relay.close(done); }),
  };
}

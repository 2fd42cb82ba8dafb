// SPDX-License-Identifier: Apache-2.0
// wsclient - a WebSocket (RFC 6455) with the interface of the browser's, for
// versions of node that have none.
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';

export class WebSocketClient {
  #on = {};
  #socket = null;
  #bytes = Buffer.alloc(0);
  #parts = [];
  #isOver = false;
  #request;

  set onopen(tell) { this.#on.open = tell; }
  set onmessage(tell) { this.#on.message = tell; }
  set onclose(tell) { this.#on.close = tell; }
  get onclose() { return this.#on.close; }

  // headers: of the handshake; a browser has no such argument.
  constructor(url, protocols = [], headers = {}) {
    this.#request = request(url.replace(/^ws/, 'http'), { agent: false, headers: {
      Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...(protocols.length && { 'Sec-WebSocket-Protocol': protocols.join(', ') }), ...headers } });
    this.#request.on('upgrade', (response, socket, head) => this.#opened(socket, head));
    this.#request.on('response', (response) => { response.resume(); this.#over(1006); });
    this.#request.on('error', () => this.#over(1006));
    this.#request.end();
  }

  send(text) {
    this.#frame(1, Buffer.from(text));
  }

  close(code = 1000) {
    if (this.#isOver) return;
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(code);
    if (this.#socket) this.#frame(8, bytes);
    else this.#request.destroy();
    this.#over(code);
    this.#socket?.end();
  }

  // Nothing more comes, and nobody is told.
  lose() {
    this.#isOver = true;
    this.#request.destroy();
    this.#socket?.destroy();
  }

  #opened(socket, head) {
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('close', () => this.#over(1006));
    socket.on('error', () => this.#over(1006));
    this.#on.open?.({});
    this.#take(head);
  }

  #over(code) {
    if (this.#isOver) return;
    this.#isOver = true;
    setImmediate(() => this.#on.close?.({ code }));
  }

  #frame(opcode, payload) {
    if (!this.#socket || this.#socket.destroyed) return;
    const mask = randomBytes(4);
    const length = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255];
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...length]), mask, payload.map((byte, i) => byte ^ mask[i & 3])]));
  }

  #take(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (let frame; !this.#isOver && (frame = this.#next());) this.#handle(frame);
  }

  #next() {
    const bytes = this.#bytes;
    if (bytes.length < 2) return null;
    let at = 2;
    let length = bytes[1] & 127;
    if (length === 126) { if (bytes.length < 4) return null; length = bytes.readUInt16BE(2); at = 4; }
    else if (length === 127) { if (bytes.length < 10) return null; length = Number(bytes.readBigUInt64BE(2)); at = 10; }
    if (bytes.length < at + length) return null;
    this.#bytes = bytes.subarray(at + length);
    return { isLast: Boolean(bytes[0] & 128), opcode: bytes[0] & 15, payload: bytes.subarray(at, at + length) };
  }

  #handle({ isLast, opcode, payload }) {
    if (opcode === 9) this.#frame(10, payload);
    if (opcode === 8) {
      this.#frame(8, payload.subarray(0, 2));
      this.#socket.end();
      this.#over(payload.length >= 2 ? payload.readUInt16BE(0) : 1005);
    }
    if (opcode > 1) return;
    this.#parts.push(payload);
    if (!isLast) return;
    this.#on.message?.({ data: Buffer.concat(this.#parts.splice(0)).toString() });
  }
}

// SPDX-License-Identifier: Apache-2.0
// conversations - the caller's own history (docs/protocol.md, "Conversations").

const path = (id, rest = '') => `conversations/${encodeURIComponent(id)}${rest}`;

export class Conversations {
  #http;

  constructor(http) {
    this.#http = http;
  }

  // {items: [{conversationId, title, createdAt, updatedAt}], next}
  list({ q, limit, cursor, signal } = {}) {
    return this.#http.json('GET', 'conversations', { query: { q, limit, cursor }, signal });
  }

  // The conversation with its messages.
  read(id, { signal } = {}) {
    return this.#http.json('GET', path(id), { signal });
  }

  rename(id, title) {
    return this.#http.json('PATCH', path(id), { body: { title } });
  }

  delete(id) {
    return this.#http.json('DELETE', path(id));
  }

  // Where a browser downloads it from, as `json` or `markdown`.
  exportUrl(id, format = 'json') {
    return this.#http.url(path(id, '/export'), { format });
  }

  export(id, format = 'json') {
    return this.#http.text('GET', path(id, '/export'), { query: { format } });
  }
}

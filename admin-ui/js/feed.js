// SPDX-License-Identifier: Apache-2.0
// The rows of the live page out of its feed: a snapshot, then changes. Pure.

export class Feed {
  #rows = new Map(); // id -> {row, at}: `at` is when this row was told
  #order = [];
  info = { total: 0, matched: 0, phases: {} };

  snapshot(data) {
    this.#rows = new Map(data.items.map((row) => [row.id, { row, at: Date.parse(data.at) }]));
    this.#order = data.items.map((row) => row.id);
    this.#tell(data);
  }

  change(data) {
    const at = Date.parse(data.at);
    for (const id of data.gone ?? []) this.#rows.delete(id);
    for (const row of data.items ?? []) this.#rows.set(row.id, { row, at });
    if (data.order) this.#order = data.order;
    else {
      const known = new Set(this.#order);
      this.#order.push(...(data.items ?? []).map((row) => row.id).filter((id) => !known.has(id)));
    }
    this.#tell(data);
  }

  #tell({ at, total, matched, phases }) {
    this.info = { at: Date.parse(at), total, matched, phases: phases ?? {} };
  }

  // The rows as they are at the time of the newest message: ages of rows that
  // did not change are counted on.
  rows() {
    return this.#order.filter((id) => this.#rows.has(id)).map((id) => {
      const { row, at } = this.#rows.get(id);
      const passed = Math.max(0, this.info.at - at) || 0;
      return { ...row, ageMs: row.ageMs + passed, silentMs: row.silentMs < 0 ? -1 : row.silentMs + passed };
    });
  }
}

// SPDX-License-Identifier: Apache-2.0
// The pages, in the order of the menu; one with a parent is reached from there.
// `needs`: routes without which it is not there. open(page) draws it into
// page.root and may return what ends it; page.signal is aborted then.
import * as live from './views/live.js';
import * as overview from './views/overview.js';
import * as stream from './views/stream.js';

export const pages = [
  { name: 'overview', needs: ['GET api/overview'], open: overview.open },
  { name: 'live', needs: ['GET api/live'], open: live.open },
  { name: 'stream', parent: 'live', needs: ['GET api/streams/{id}'], open: stream.open },
];

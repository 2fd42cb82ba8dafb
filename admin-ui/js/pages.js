// SPDX-License-Identifier: Apache-2.0
// The pages, in the order of the menu; one with a parent is reached from there.
// `needs`: routes without which it is not there. open(page) draws it into
// page.root and may return what ends it; page.signal is aborted then.
import * as alerts from './views/alerts.js';
import * as audit from './views/audit.js';
import * as callers from './views/callers.js';
import * as conversation from './views/conversation.js';
import * as conversations from './views/conversations.js';
import * as ends from './views/ends.js';
import * as keys from './views/keys.js';
import * as live from './views/live.js';
import * as overview from './views/overview.js';
import * as pathcheck from './views/pathcheck.js';
import * as stream from './views/stream.js';
import * as upstreams from './views/upstreams.js';

export const pages = [
  { name: 'overview', needs: ['GET api/overview'], open: overview.open },
  { name: 'live', needs: ['GET api/live'], open: live.open },
  { name: 'stream', parent: 'live', needs: ['GET api/streams/{id}'], open: stream.open },
  { name: 'ends', needs: ['GET api/ends', 'GET api/ends/summary'], open: ends.open },
  { name: 'keys', needs: ['GET api/keys', 'GET api/upstreams'], open: keys.open },
  { name: 'upstreams', needs: ['GET api/upstreams', 'GET api/apps'], open: upstreams.open },
  { name: 'conversations', needs: ['GET api/conversations'], open: conversations.open },
  { name: 'conversation', parent: 'conversations', needs: ['GET api/conversations/{id}'], open: conversation.open },
  { name: 'callers', needs: ['GET api/callers'], open: callers.open },
  { name: 'alerts', needs: ['GET api/alerts'], open: alerts.open },
  { name: 'audit', needs: ['GET api/audit'], open: audit.open },
  { name: 'pathcheck', needs: ['GET api/pathcheck'], open: pathcheck.open },
];

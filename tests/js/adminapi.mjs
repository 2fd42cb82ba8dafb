// SPDX-License-Identifier: Apache-2.0
// adminapi - the admin page on a server that is a table of answers in the form
// of docs/admin-api.md: for what a real server cannot be brought to say at
// will, such as hostile text in every field, ten of everything, or a failure.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript' };

const NOW = Date.parse('2026-11-21T06:30:00.000Z');
const ago = (ms) => new Date(NOW - ms).toISOString();
const id = (n) => `${n.toString(16).padStart(4, '0')}f1e2d3c4b5a69788796a5b4c3d2e`;
const users = ['user:li', 'user:wang', 'anon:7f3a', 'token:crm', 'jwt:portal:42'];
const wave = (length, base, swing) => Array.from({ length }, (_, i) => Math.round(base + swing * Math.sin(i / 9) + (i * 7919) % Math.max(1, Math.floor(swing / 2))));

// Every string that the server tells goes through `text`: the name of its
// field, a usual value -> what is told.
export function answersOf({ text = (_, value) => value, role = 'admin', rows = 12 } = {}) {
  const s = (name, value) => text(name, value);
  const stream = (n) => ({
    id: id(n), owner: s('owner', users[n % 5]), app: s('app', ['support', 'search', 'default'][n % 3]), transport: s('transport', ['sse', 'websocket', 'text', 'poll'][n % 4]),
    client: s('client', `10.20.${n % 7}.${n * 3 % 250}`), phase: ['streaming', 'streaming', 'waiting', 'streaming', 'retrying', 'paused', 'detached', 'connecting'][n % 8],
    startedAt: ago(n * 4100), ageMs: n * 4100 + 900, firstContentMs: n % 8 === 2 || n % 8 === 7 ? -1 : 340 + n * 13, silentMs: n * 37, events: n * 41, eventsPerSecond: n % 9 * 2.5,
    bytes: n * 812, queueBytes: n % 8 === 5 ? 214000 : n * 12, heartbeats: n % 4, readers: n % 8 === 6 ? 0 : 1 + n % 2, resumes: n % 3, pauses: n % 2,
    attempt: n % 8 === 4 ? 2 : 1, attemptsMost: 3, retries: n % 8 === 4 ? 1 : 0, key: s('key', ['9f2c', 'a17b'][n % 2]), pid: 4101 + n % 2,
  });
  const attempts = [{ n: 1, class: s('class', 'upstream_unavailable'), status: 503, ms: 212, code: s('code', 'ServiceUnavailable') }, { n: 2, class: 'ok', status: 200, ms: 8400, code: null }];
  const end = (n) => ({
    ...stream(n), upstream: s('upstream', 'bailian-beijing'), conversationId: s('conversationId', `c-${n}`), requestId: s('requestId', `req-${n}`),
    upstreamRequestId: s('upstreamRequestId', `0d1e-${n}`), outcome: ['completed', 'completed', 'error', 'cancelled', 'timeout', 'completed'][n % 6],
    code: n % 6 === 2 ? s('code', 'upstream_quota') : n % 6 === 4 ? 'upstream_stalled' : null, upstreamCode: n % 6 === 2 ? s('upstreamCode', 'Throttling.RateQuota') : null,
    finishReason: s('finishReason', 'stop'), endedAt: ago(n * 91000), durationMs: 4000 + n * 731, attempts: n % 4 ? attempts.slice(1) : attempts,
    inputTokens: 120 + n, outputTokens: n % 6 === 2 ? null : 480 + n * 9, keyName: s('keyName', 'main'), model: s('model', 'qwen-max'),
  });
  const many = (make) => Array.from({ length: rows }, (_, n) => make(n + 1));
  const key = (n) => ({
    id: n, version: 3, upstream: s('upstream', 'bailian-beijing'), name: s('name', ['main', 'spare', 'batch', 'old', 'team-b', 'moved'][(n - 1) % 6] + (n > 6 ? n : '')), weight: n, priority: n % 2, apps: n % 3 ? [] : [s('app', 'support')], models: [],
    account: s('account', 'account-1'), note: s('note', 'paid by team A'), last4: s('last4', '9f2c'), fingerprint: s('fingerprint', 'a1b2c3d4e5f60718'),
    state: ['ok', 'cooling', 'refused', 'disabled', 'ok', 'reenter'][(n - 1) % 6], coolingMs: n % 6 === 2 ? 42000 : 0, stateSinceAt: ago(9000), lastUsedAt: ago(n * 60000), requests: 4200 + n, throttled: n * 3,
    errors: n % 3 ? {} : { [s('errorCode', 'upstream_auth')]: 4 }, streams: 40000 + n, failures: 12, inputTokens: 812345, outputTokens: 2345678,
    check: n % 2 ? { at: ago(70000), ok: true, code: null, status: 200, latencyMs: 182 } : { at: ago(70000), ok: false, code: s('code', 'upstream_auth'), status: 401, latencyMs: 95 },
    createdAt: ago(9e9), updatedAt: ago(8e8),
  });
  const upstream = (n) => ({
    name: s('name', ['bailian-beijing', 'bailian-singapore', 'proxy'][n - 1]), version: 2, kind: 'bailian-app', baseUrl: s('baseUrl', 'https://dashscope.aliyuncs.com/api/v1'), region: s('region', 'cn-beijing'), note: s('note', 'main'),
    workspace: s('workspace', 'ws-1'), caFile: s('caFile', '/etc/ssl/own.pem'), proxy: s('proxy', null), http2: true, connectTimeoutMs: 3000, firstContentTimeoutMs: null, gapTimeoutMs: null, totalTimeoutMs: 600000,
    keys: { enabled: 3, disabled: 1, reenter: n === 2 ? 1 : 0 }, apps: 2, state: ['ok', 'failing', 'open'][n - 1], failures: [0, 3, 12][n - 1], nextProbeMs: n === 3 ? 3200 : 0, createdAt: ago(9e9), updatedAt: ago(8e8),
  });
  const app = (n) => ({
    name: s('name', ['support', 'search', 'default'][n - 1]), version: 4, upstream: s('upstream', 'bailian-beijing'), appId: s('appId', 'a1b2c3d4e5f6'), default: n === 3, incremental: true, thoughts: false, thinking: null,
    flow: 'none', answerNodes: s('answerNodes', null), parameters: { temperature: 0.3 }, workspace: s('workspace', null), note: s('note', 'for the help desk'), connectTimeoutMs: null, firstContentTimeoutMs: 20000, gapTimeoutMs: null, totalTimeoutMs: null,
    heartbeatFirstMs: null, heartbeatMs: 15000, retryPace: 'exponential', retries: 3, retryIntervalMs: 500, policy: 'detach 60s', maxStreamsPerPrincipal: 5, queueBytes: null, createdAt: ago(9e9), updatedAt: ago(8e8),
  });
  const conversation = (n) => ({ id: `${n}-63f1a2b3c4d5e`, owner: s('owner', users[n % 5]), conversationId: s('conversationId', `c-${n}`), title: s('title', '绿茶要多热的水？'), createdAt: ago(n * 8e6), updatedAt: ago(n * 7e6), questions: n, app: s('app', 'support'),
    outcome: ['completed', 'live', 'error'][n % 3] });
  const messages = [
    { id: 1, role: 'user', content: s('content', '绿茶要多热的水？'), createdAt: ago(60000), itemId: 'i1' },
    { id: 2, role: 'assistant', content: s('content', '80 ℃ 左右的水，水太烫会让茶汤发苦。'), reasoning: s('reasoning', '想一想'), references: [{ index: 1, title: s('title', '茶'), url: s('url', 'https://example.com/tea'), text: s('text', '…') }],
      createdAt: ago(50000), streamId: id(1), state: 'done', outcome: 'completed', reason: null, app: s('app', 'support'), usage: { inputTokens: 12, outputTokens: 40 } },
  ];
  const caller = (n) => ({ id: n, version: 1, name: s('name', ['crm', 'portal', 'old-app', 'trial'][n - 1]), kind: n === 2 ? 'jwt' : 'token', scopes: ['ask', 'read'], apps: [s('app', 'support')], startsPerMinute: 60, maxStreams: null, tokensPerDay: 1000000,
    expiresAt: n === 4 ? ago(9e8) : ago(-9e9), note: s('note', 'help desk'), state: ['ok', 'ok', 'revoked', 'expired'][n - 1], last4: n === 2 ? null : s('last4', 'k3fa'), fingerprint: n === 2 ? null : s('fingerprint', '00ff12ab34cd56ef'),
    algorithm: n === 2 ? 'RS256' : null, publicKey: n === 2 ? s('publicKey', '-----BEGIN PUBLIC KEY-----') : null, issuer: n === 2 ? s('issuer', 'https://sso.example.com') : null, audience: n === 2 ? s('audience', 'bailian') : null, leewaySeconds: n === 2 ? 60 : null, createdAt: ago(9e9), updatedAt: ago(8e8) });
  const alert = (n) => ({ id: n, version: 2, name: s('name', ['duty', 'group', 'old'][n - 1]), host: s('host', ['https://oapi.dingtalk.com', 'https://open.feishu.cn', 'https://ops.example.com'][n - 1]), shape: ['dingtalk', 'feishu', 'generic'][n - 1], enabled: n < 3,
    caFile: null, proxy: null, windowSeconds: 300, errorPercent: n === 3 ? null : 20, firstContentMs: n === 1 ? 5000 : null, leastStreams: 10, keys: true, store: true, repeatMinutes: 60, note: s('note', 'on duty'), silencedUntilAt: null,
    firing: n === 1 ? { [s('rule', 'keys')]: ago(90000) } : {}, delivery: n === 3 ? null : { at: ago(80000), ok: n === 1, code: n === 1 ? null : s('code', 'upstream_rejected'), status: 200 }, createdAt: ago(9e9), updatedAt: ago(8e8) });
  const page = (items) => ({ items, next: null });
  const retention = { version: 2, retention: { conversationDays: 365, eventDays: 30 }, progress: { state: 'idle', conversationsDeleted: 12, streamsTrimmed: 340, passAt: ago(7e6), oldestAt: ago(2e10), oldestEventsAt: ago(2.5e9), freeBytes: 81920 } };
  const live = () => ({ at: new Date(NOW).toISOString(), total: rows, matched: rows, phases: { streaming: Math.ceil(rows / 2), waiting: Math.floor(rows / 8) }, items: many(stream).reverse() });
  const series = (name) => ({ live: wave(360, 40, 20), first_content_p50_ms: wave(360, 350, 60), first_content_p95_ms: wave(360, 900, 300), events: wave(360, 2400, 900), heartbeats: wave(360, 30, 8), retries: wave(360, 2, 2), errors: wave(360, 1, 1) })[name];
  return {
    'GET api/me': { user: s('user', 'li'), role, from: '127.0.0.1', routes: [] },
    'GET api/overview': { version: s('version', '0.3.0'), live: rows, phases: {}, counters: { streams_started: 91234, streams_completed: 88000, streams_length: 120, streams_cancelled: 2100, streams_timeout: 14, streams_error: 31, streams_interrupted: 2, streams_refused: 9 },
      children: [{ pid: 4101, live: 7, draining: false, turnLongestMs: 3 }, { pid: 4102, live: 5, draining: rows > 100, turnLongestMs: 8 }], memory: { heldBytes: 52428800, budgetBytes: 1073741824 }, store: { state: s('storeState', 'ok'), queued: 0, walBytes: 4120000, sqlite: '3.40.1', guarded: true },
      window: { eventsPerSecond: 241.2, heartbeatsPerSecond: 3.1, retriesPerSecond: 0.2, streamsPerSecond: 2.4, tokensPerSecond: 812, firstContentP50Ms: 352, firstContentP95Ms: 934, errors: {} },
      lastHour: { streams: 8123, errors: rows ? { [s('errorCode', 'upstream_quota')]: 21, upstream_stalled: 3 } : {}, inputTokens: 2123456, outputTokens: 6123456, firstContentP50Ms: 349, firstContentP95Ms: 910 } },
    'GET api/history': ({ query }) => ({ stepMs: query.get('range') === '5m' ? 1000 : 10000, from: NOW - 3600000, to: NOW, series: Object.fromEntries((query.get('series') ?? '').split(',').map((name) => [name, series(name) ?? wave(360, 1, 1)])) }),
    'GET api/health': ({ headers }) => {
      const isChinese = headers['accept-language'] === 'zh-CN';
      const said = (field, en, zh) => s(field, isChinese ? zh : en);
      return { state: 'warning', versions: { module: '0.3.0', httpd: '2.4.65', apr: '1.7.2', curl: '7.88.1', sqlite: '3.40.1', openssl: '3.0.17', jansson: '2.14' },
        checks: [{ name: 'store', state: 'ok', code: 'store_ok', values: [], detail: said('detail', 'The database takes what is written.', '数据库可正常写入。'), fix: null },
          { name: 'requestTimeout', state: 'warning', code: 'request_timeout_missing', values: [], detail: said('detail', 'Clients that send their request slowly hold workers.', '缓慢发送请求的客户端会占用工作线程。'),
            fix: said('fix', 'Load mod_reqtimeout and set RequestReadTimeout header=20-40 body=20', '请加载 mod_reqtimeout 并设置 RequestReadTimeout header=20-40 body=20') },
          { name: 'upstream.bailian-beijing', state: 'ok', code: 'upstream_ok', values: ['3', '3'], detail: said('detail', '3 of 3 keys are usable.', '3 个 Key 中 3 个可用。'), fix: null }] };
    },
    'GET api/live': () => ({ ...live(), next: null }),
    'GET api/live/events': { sse: [['snapshot', live()]] },
    'POST api/live/stop': ({ body }) => ({ results: body.ids.map((one) => ({ id: one, state: 'stopped' })) }),
    'GET api/streams/{id}': { ...end(2), live: false, attempts, timelineLost: 0, timeline: [{ atMs: 0, what: 'start' }, { atMs: 1, what: 'attempt', n: 1 }, { atMs: 213, what: 'failed', n: 1, class: s('class', 'upstream_unavailable'), status: 503 }, { atMs: 214, what: 'retry', n: 500 },
      { atMs: 714, what: 'attempt', n: 2 }, { atMs: 1102, what: 'firstContent' }, { atMs: 2600, what: 'attached', n: 2 }, { atMs: 4200, what: 'left', n: 1 }, { atMs: 9100, what: 'heartbeats', n: 2 }, { atMs: 9114, what: 'end', outcome: 'error', class: s('class', 'upstream_quota') }] },
    'GET api/streams/{id}/events': { sse: [['message', { content: s('content', '绿茶'), isEnd: false }], ['message', { content: s('content', '绿茶要八十度的水。'), isEnd: true }]] },
    'GET api/ends': page(many(end)),
    'GET api/ends/summary': { from: ago(86400000), to: ago(0), bucketMs: 1440000, groups: [['completed', 12], ['error', 2], ['timeout', 1], ['cancelled', 3]].map(([name, n]) => ({ name: s('group', name), count: n * 60, values: wave(60, n, n) })) },
    'GET api/keys': page(Array.from({ length: Math.min(rows, 8) }, (_, n) => key(n + 1))),
    'GET api/keys/{id}': key(1),
    'GET api/upstreams': page(rows ? [1, 2, 3].map(upstream) : []),
    'GET api/apps': page(rows ? [1, 2, 3].map(app) : []),
    'POST api/apps/{id}/try': { sse: [['message', { content: s('content', '80 '), isEnd: false }], ['message', { content: s('content', '80 ℃。'), isEnd: true, finishReason: 'stop' }]] },
    'GET api/conversations': page(many(conversation)),
    'GET api/conversations/{id}': { ...conversation(1), messages },
    'GET api/deletions': { items: rows ? [{ id: 1, user: s('user', 'user:li'), before: ago(1e10), state: 'running', conversations: 120, deleted: 40, requestedAt: ago(60000), endedAt: null, actor: s('actor', 'user:li') }] : [] },
    'GET api/usage': { by: 'day', from: '2026-10-22', to: '2026-11-21', total: { streams: 91234, failures: 45, inputTokens: 2e7, outputTokens: 6e7 }, more: 0,
      items: many((n) => ({ name: s('name', `2026-11-${String(22 - n).padStart(2, '0')}`), streams: 8000 - n * 100, failures: n, inputTokens: 1e6 - n, outputTokens: 3e6 - n })) },
    'GET api/settings': retention,
    'GET api/callers': page(rows ? [1, 2, 3, 4].map(caller) : []),
    'GET api/alerts': page(rows ? [1, 2, 3].map(alert) : []),
    'GET api/audit': page(many((n) => ({ id: n, at: ago(n * 123000), actor: s('actor', ['user:li', 'cli:root'][n % 2]), from: s('from', '10.20.0.7'), action: s('action', ['key.add', 'stream.stop', 'upstream.put', 'conversation.read'][n % 4]), object: s('object', ['bailian-beijing/main', id(n), 'bailian-beijing', 'user:li c-3'][n % 4]),
      detail: s('detail', ['a1b2c3d4e5f60718', null, '{"region":"cn-beijing","note":null}', null][n % 4]), outcome: n % 7 === 5 ? 'refused' : 'done' }))),
    'GET api/pathcheck': ({ headers }) => ({ sse: [['path', { parked: true, http2: false, tls: true, filters: [s('filter', 'REQTIMEOUT')], proxies: [s('proxy', '10.0.0.1')], hints: [{ code: 'proxy',
      detail: s('detail', headers['accept-language'] === 'zh-CN' ? '本服务器与浏览器之间有代理。' : 'A proxy stands between this server and the browser.'), fix: s('fix', 'nginx: proxy_buffering off; proxy_http_version 1.1') }] }],
    ...Array.from({ length: 20 }, (_, n) => ['tick', { n: n + 1, of: 20, sentMs: n * 30 }, 30]), ['done', {}]] }),
  };
}

export const problem = (status, code, more = {}) => ({ status, problem: { type: 'about:blank', title: `${code} happened`, status, code, ...more } });

function find(answers, method, path) {
  if (answers[`${method} ${path}`]) return answers[`${method} ${path}`];
  const parts = path.split('/');
  const found = Object.keys(answers).find((name) => {
    const [verb, pattern] = name.split(' ');
    const wanted = pattern.split('/');
    return verb === method && wanted.length === parts.length && wanted.every((part, i) => part === '{id}' || part === parts[i]);
  });
  return answers[found];
}

async function tell(answer, request, response) {
  const said = typeof answer === 'function' ? await answer(request) : answer;
  if (said === undefined) return response.writeHead(404, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify({ title: 'not there', code: 'not_found' }));
  if (said === null) return response.writeHead(204).end();
  if (said.problem) return response.writeHead(said.status, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify(said.problem));
  if (!said.sse) return response.writeHead(said.httpStatus ?? 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(said));
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for await (const [type, data, wait] of said.sse) {
    if (wait) await new Promise((done) => { setTimeout(done, wait); });
    response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  if (!request.path.startsWith('api/live')) response.end();
  return undefined;
}

const ACTIONS = ['POST api/live/stop', 'POST api/keys', 'PATCH api/keys/{id}', 'POST api/keys/{id}/replace', 'POST api/keys/{id}/enable', 'POST api/keys/{id}/disable', 'DELETE api/keys/{id}',
  'POST api/keys/{id}/test', 'POST api/keys/test', 'POST api/keys/{id}/restore', 'POST api/keys/import', 'POST api/upstreams', 'PATCH api/upstreams/{id}', 'DELETE api/upstreams/{id}', 'POST api/upstreams/{id}/restore',
  'POST api/apps', 'PATCH api/apps/{id}', 'DELETE api/apps/{id}', 'DELETE api/conversations/{id}', 'GET api/conversations/{id}/export', 'POST api/conversations/delete', 'PATCH api/settings',
  'POST api/alerts', 'PATCH api/alerts/{id}', 'DELETE api/alerts/{id}', 'POST api/alerts/{id}/test', 'POST api/alerts/{id}/silence',
  'POST api/callers', 'PATCH api/callers/{id}', 'POST api/callers/{id}/enable', 'POST api/callers/{id}/disable', 'POST api/callers/{id}/revoke', 'DELETE api/callers/{id}'];

// `answers` may be changed while it runs; `asked` holds what was asked.
export async function openAdminApi(answers) {
  const asked = [];
  answers['GET api/me'].routes = [...new Set([...Object.keys(answers), ...ACTIONS])];
  const server = createServer(async (incoming, response) => {
    const url = new URL(incoming.url, 'http://x');
    const path = decodeURIComponent(url.pathname.slice(1)) || 'index.html';
    if (path.startsWith('api/')) {
      let text = '';
      for await (const part of incoming) text += part;
      const request = { method: incoming.method, path, query: url.searchParams, headers: incoming.headers, body: text && JSON.parse(text) };
      asked.push(request);
      await tell(find(answers, incoming.method, path), request, response);
      return;
    }
    try {
      const file = await readFile(`${root}/${path.startsWith('sdk/') ? '' : 'admin-ui/'}${path}`);
      response.writeHead(200, { 'Content-Type': TYPES[path.split('.').at(-1)], 'Content-Security-Policy': POLICY }).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return {
    asked,
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }),
  };
}

// SPDX-License-Identifier: Apache-2.0

/** Ways to read an answer; see docs/sdk.md. */
export type Transport = 'sse' | 'websocket' | 'text' | 'download' | 'poll' | 'sync';

/** Of AbortSignal: what is used. */
export interface Signal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
}

export interface Options {
  /** Where the module is: `/bailian` (default), `https://example.com/bailian`. A mini-program needs the whole address. */
  base?: string;
  /** Who asks, where the server lets in callers without a login. */
  userId?: string;
  /** Sent with every request; a function is asked each time, so that a token may be renewed. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /** Of the server's sentences: `zh-CN`, `en`. */
  language?: string | (() => string);
  /** `auto` (default), one, or some in the order in which they are tried. */
  transport?: 'auto' | Transport | Transport[];
  /** Instead of the platform's. */
  fetch?: (url: string, init?: any) => Promise<any>;
  /** Instead of the platform's; needed where there is none, and beside a `fetch` of your own. */
  WebSocket?: new (url: string, protocols?: string[]) => any;
  /** The global `wx` of a mini-program, where it is not found by itself. */
  wx?: object;
  /** First wait after a loss, unless the server says `retry:`; 1000. */
  leastMs?: number;
  /** Longest wait; 30000. */
  mostMs?: number;
  /** Without anything new for so long the reading ends as `unreachable`; 900000. */
  giveUpMs?: number;
  /** Silence that counts as a loss; 45000. */
  silenceMs?: number;
  /** Until the head of an answer; 20000. */
  openMs?: number;
  /** Until the first byte on a transport that is only tried; 8000. */
  trialMs?: number;
  /** Until a better transport is tried again, 60000; doubles up to climbMostMs, 600000. */
  climbMs?: number;
  climbMostMs?: number;
  /** From stop() to an end that does not wait for the server's; 5000. */
  stopMs?: number;
}

export interface AskOptions {
  conversationId?: string;
  /** Your own id of this question. */
  itemId?: string;
  appId?: string;
  /** Idempotency key: the same key gets the same answer, and asks once. */
  key?: string;
  on?: (event: StreamEvent) => void;
  /** Aborting it is stop(). */
  signal?: Signal;
}

export interface Message { role: 'system' | 'user' | 'assistant'; content: string }

export interface Reference { index?: string; title?: string; docName?: string; url?: string; text?: string }

export interface Place { streamId: string; seq?: number; text?: string; reasoning?: string; conversationId?: string; itemId?: string }

export interface Usage { inputTokens?: number; outputTokens?: number; totalTokens?: number; models?: unknown[] }

export interface End {
  type: 'end';
  seq: number;
  /** The whole answer; what there is of it when it is not complete. */
  text: string;
  /** Only then the answer is whole, and was compared with the server's length and SHA-256. */
  isComplete: boolean;
  finishReason: string | null;
  usage: Usage | null;
  error?: string;
  code?: string;
}

export type StreamEvent =
  | { type: 'start'; seq: number; streamId: string; conversationId: string; itemId: string }
  | { type: 'content'; seq: number; text: string }
  | { type: 'reasoning'; seq: number; text: string }
  /** More documents; all of them are in answer.references. */
  | { type: 'references'; seq: number; references: Reference[] }
  | { type: 'status'; seq: number; status: { type: string; [field: string]: unknown } }
  /** The whole text so far, instead of all before. */
  | { type: 'replace'; seq: number; text: string }
  /** Forget everything: the answer is told again from its beginning. */
  | { type: 'rewind'; seq: 0 }
  /** First event of an iteration that began late: all there was. */
  | ({ type: 'snapshot'; text: string; reasoning: string; references: Reference[] } & Required<Pick<Place, 'streamId' | 'seq'>> & Place)
  | { type: 'reconnecting'; attempt: number; delayMs: number; reason: string }
  | { type: 'reconnected'; transport: Transport; seq: number }
  | End;

export class BailianError extends Error {
  /** Of docs/errors.md; or `unreachable`, `damaged`, `bad_answer`, `closed`, `internal`. */
  code: string;
  status: number;
  detail: string;
  requestId: string;
  retryAfterMs: number;
  /** The same may work later. */
  isPassing: boolean;
}

export class Answer implements AsyncIterable<StreamEvent> {
  readonly done: Promise<End>;
  readonly streamId?: string;
  readonly conversationId?: string;
  readonly itemId?: string;
  readonly seq: number;
  readonly text: string;
  readonly reasoning: string;
  readonly references: Reference[];
  /** By which it is read now. */
  readonly transport: Transport;
  readonly state: 'opening' | 'reading' | 'waiting' | 'over';
  [Symbol.asyncIterator](): AsyncIterator<StreamEvent>;
  pause(): void;
  resume(): void;
  stop(): void;
  close(): void;
  retryNow(): void;
}

export interface Conversation { conversationId: string; title: string; createdAt: string; updatedAt: string }

export interface StoredMessage {
  id: number;
  role: 'user' | 'assistant';
  content: string;
  createdAt: string;
  itemId?: string;
  streamId?: string;
  reasoning?: string;
  references?: Reference[];
  /** `live`: the answer still runs; follow() it. */
  state?: 'live';
  outcome?: string;
  reason?: string;
  usage?: Usage;
}

export class Conversations {
  list(options?: { q?: string; limit?: number; cursor?: string | null; signal?: Signal }): Promise<{ items: Conversation[]; next: string | null }>;
  read(id: string, options?: { signal?: Signal }): Promise<Conversation & { messages: StoredMessage[] }>;
  rename(id: string, title: string): Promise<Conversation>;
  delete(id: string): Promise<void>;
  export(id: string, format?: 'json' | 'markdown'): Promise<string>;
  exportUrl(id: string, format?: 'json' | 'markdown'): string;
}

export class BailianClient {
  constructor(options?: Options);
  readonly conversations: Conversations;
  ask(message: string | Message[], options?: AskOptions): Answer;
  follow(place: Place, options?: Pick<AskOptions, 'on' | 'signal'>): Answer;
  state(streamId: string): Promise<{ live: boolean; outcome?: string; [field: string]: unknown }>;
}

export function randomId(): string;

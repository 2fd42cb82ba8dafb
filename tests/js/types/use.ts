// SPDX-License-Identifier: Apache-2.0
// Everything that the types promise, used once; tsc compiles it, nobody runs it.
import { Answer, BailianClient, BailianError, End, randomId, Reference, StreamEvent, Transport } from 'bailian-stream';

const client = new BailianClient({
  base: 'https://example.com/bailian', userId: randomId(), language: () => 'zh-CN', headers: async () => ({ Authorization: 'Bearer x' }),
  transport: ['sse', 'websocket', 'text', 'poll'], leastMs: 1, mostMs: 1, giveUpMs: 1, silenceMs: 1, openMs: 1, trialMs: 1, climbMs: 1,
  climbMostMs: 1, stopMs: 1,
});

function textOf(event: StreamEvent): string {
  switch (event.type) {
    case 'content': case 'reasoning': case 'replace': case 'snapshot': return event.text;
    case 'references': return event.references.map((one: Reference) => one.title ?? '').join();
    case 'start': return event.streamId + event.conversationId;
    case 'status': return event.status.type;
    case 'reconnecting': return `${event.attempt} ${event.delayMs} ${event.reason}`;
    case 'reconnected': return event.transport satisfies Transport;
    case 'rewind': return '';
    case 'end': return `${event.isComplete} ${event.finishReason ?? ''} ${event.usage?.totalTokens ?? 0}`;
  }
}

export async function use(): Promise<string> {
  const answer: Answer = client.ask('hi', { conversationId: 'c', itemId: 'i', appId: 'a', key: 'k', on: textOf });
  for await (const event of answer) textOf(event);
  answer.pause();
  answer.resume();
  answer.retryNow();
  answer.stop();
  answer.close();
  try {
    const end: End = await client.follow({ streamId: 's', seq: 1, text: '' }).done;
    return end.text + answer.transport + answer.state + answer.seq;
  } catch (error) {
    if (error instanceof BailianError && error.isPassing) return error.code;
  }
  // @ts-expect-error: there is no such transport
  new BailianClient({ transport: 'pigeon' });
  // @ts-expect-error: a question is needed
  client.ask();
  const { items, next } = await client.conversations.list({ q: 'x', limit: 1, cursor: null });
  await client.conversations.rename(items[0].conversationId, 'x');
  const { messages } = await client.conversations.read('c');
  await client.conversations.delete('c');
  return (await client.conversations.export('c', 'markdown')) + client.conversations.exportUrl('c') + messages.length + next
    + (await client.state('s')).live;
}

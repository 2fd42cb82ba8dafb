// SPDX-License-Identifier: Apache-2.0
// useAIStream - one answer at a time, as Vue's state.
import { onScopeDispose, shallowReactive, toRefs } from 'vue';
import type { Answer, AskOptions, BailianClient, BailianError, Reference, StreamEvent } from 'bailian-stream';

export interface AIStreamView {
  state: 'idle' | 'waiting' | 'streaming' | 'reconnecting' | 'done' | 'stopped' | 'failed';
  text: string;
  reasoning: string;
  references: Reference[];
  error: BailianError | null;
}

const idle = (): AIStreamView => ({ state: 'idle', text: '', reasoning: '', references: [], error: null });

function stateAfter(event: StreamEvent, answer: Answer): AIStreamView['state'] {
  if (event.type === 'reconnecting') return 'reconnecting';
  if (event.type === 'end') return event.isComplete ? 'done' : event.code === 'cancelled' ? 'stopped' : 'failed';
  return answer.text || answer.reasoning ? 'streaming' : 'waiting';
}

export function useAIStream(client: BailianClient) {
  const view = shallowReactive(idle());
  let running: Answer | null = null;
  let last: [string, Omit<AskOptions, 'on'>] = ['', {}];

  function ask(message: string, options: Omit<AskOptions, 'on'> = {}) {
    running?.close();
    last = [message, options];
    const answer = client.ask(message, {
      ...options,
      on: (event) => {
        if (running !== answer) return;
        const { text, reasoning, references } = answer;
        Object.assign(view, { state: stateAfter(event, answer), text, reasoning, references });
      },
    });
    running = answer;
    Object.assign(view, idle(), { state: 'waiting' });
    answer.done.catch((error: BailianError) => {
      if (running === answer) Object.assign(view, { state: 'failed', error });
    });
  }

  onScopeDispose(() => { // the component has gone
    running?.close();
    running = null;
  });
  return { ...toRefs(view), ask, stop: () => running?.stop(), retry: () => ask(...last) };
}

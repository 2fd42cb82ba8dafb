// SPDX-License-Identifier: Apache-2.0
// useAIStream - one answer at a time, as React's state.
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Answer, AskOptions, BailianClient, BailianError, Reference, StreamEvent } from 'bailian-stream';

export interface AIStreamView {
  state: 'idle' | 'waiting' | 'streaming' | 'reconnecting' | 'done' | 'stopped' | 'failed';
  text: string;
  reasoning: string;
  references: Reference[];
  error: BailianError | null;
}

export interface AIStream extends AIStreamView {
  ask(message: string, options?: Omit<AskOptions, 'on'>): void;
  stop(): void;
  /** The last question once more. */
  retry(): void;
}

const IDLE: AIStreamView = { state: 'idle', text: '', reasoning: '', references: [], error: null };

function stateAfter(event: StreamEvent, answer: Answer): AIStreamView['state'] {
  if (event.type === 'reconnecting') return 'reconnecting';
  if (event.type === 'end') return event.isComplete ? 'done' : event.code === 'cancelled' ? 'stopped' : 'failed';
  return answer.text || answer.reasoning ? 'streaming' : 'waiting';
}

export function useAIStream(client: BailianClient): AIStream {
  const [view, setView] = useState(IDLE);
  const running = useRef<Answer | null>(null);
  const last = useRef<[string, Omit<AskOptions, 'on'>]>(['', {}]);

  const ask = useCallback((message: string, options: Omit<AskOptions, 'on'> = {}) => {
    running.current?.close();
    last.current = [message, options];
    const answer = client.ask(message, {
      ...options,
      on: (event) => {
        if (running.current !== answer) return;
        const { text, reasoning, references } = answer;
        setView({ state: stateAfter(event, answer), text, reasoning, references, error: null });
      },
    });
    running.current = answer;
    setView({ ...IDLE, state: 'waiting' });
    answer.done.catch((error: BailianError) => {
      if (running.current === answer) setView((now) => ({ ...now, state: 'failed', error }));
    });
  }, [client]);

  const stop = useCallback(() => running.current?.stop(), []);
  const retry = useCallback(() => ask(...last.current), [ask]);
  useEffect(() => () => { // the component has gone
    running.current?.close();
    running.current = null;
  }, []);
  return { ...view, ask, stop, retry };
}

// SPDX-License-Identifier: Apache-2.0
import { useState } from 'react';
import type { BailianClient } from 'bailian-stream';
import { useAIStream } from './useAIStream';

export function Chat({ client }: { client: BailianClient }) {
  const [question, setQuestion] = useState('');
  const { state, text, error, ask, stop, retry } = useAIStream(client);
  const isRunning = ['waiting', 'streaming', 'reconnecting'].includes(state);
  return (
    <form onSubmit={(event) => { event.preventDefault(); ask(question); }}>
      <label>Question <input name="question" value={question} onChange={(event) => setQuestion(event.target.value)} required /></label>
      <button type="submit">Ask</button>
      {isRunning && <button type="button" name="stop" onClick={stop}>Stop</button>}
      {state === 'failed' && <button type="button" name="retry" onClick={retry}>Ask again</button>}
      <p role="status">{error ? `${error.message} (${error.code})` : state}</p>
      <p className="answer">{text}</p>
    </form>
  );
}

// SPDX-License-Identifier: Apache-2.0
// A page without a framework: asks, and shows the answer as it comes.
import { BailianClient, randomId } from '/bailian/chat/sdk/bailian-stream.js';

const client = new BailianClient({ base: '/bailian', userId: randomId() });
const form = document.querySelector('form');
const { question, stop } = form.elements;
const said = document.querySelector('[role=status]');
const shown = document.querySelector('.answer');
let answer = null;

function show(event) {
  shown.textContent = answer.text; // so that `replace` and `rewind` need no case
  if (event.type === 'reconnecting') said.textContent = `Connecting again, attempt ${event.attempt} …`;
  else if (event.type !== 'status') said.textContent = '';
}

async function ask(text) {
  answer = client.ask(text, { on: show });
  stop.hidden = false;
  try {
    const end = await answer.done;
    shown.textContent = end.text;
    said.textContent = end.isComplete ? 'Done.' : 'Stopped.';
  } catch (error) {
    said.textContent = `${error.message} (${error.code})`;
  }
  stop.hidden = true;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  answer?.close();
  ask(question.value);
});
stop.addEventListener('click', () => answer.stop());

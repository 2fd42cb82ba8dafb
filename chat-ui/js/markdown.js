// SPDX-License-Identifier: Apache-2.0
// markdown - text of a model -> elements. Whatever the text holds, what comes
// out has no script, no image, no frame, no style, and links to http, https and
// mailto only (S-26, S-67). HTML in the text is shown as text.
import { Marked } from '../vendor/marked.esm.js';
import DOMPurify from '../vendor/purify.es.mjs';
import { safeUrl } from './dom.js';

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => text.replace(/[&<>"']/g, (char) => ESCAPES[char]);

// Two tags that answers have on purpose: a line break in a table, and Bailian's
// mark around the number of a reference.
function html(text) {
  if (/^<br\s*\/?>$/i.test(text.trim())) return '<br>';
  return /^<\/?ref>$/i.test(text.trim()) ? '' : escape(text);
}

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => html(text),
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    code: ({ text, lang }) => `<pre data-language="${escape((lang || '').split(/\s/)[0])}"><code>${escape(text)}\n</code></pre>`,
  },
});

const CLEAN = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: ['a', 'b', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'i', 'li',
    'ol', 'p', 'pre', 's', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul', '#text'],
  ALLOWED_ATTR: ['href', 'align', 'start', 'data-language'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.localName !== 'a') return;
  const url = safeUrl(node.getAttribute('href') ?? '');
  if (!url) {
    node.removeAttribute('href');
    return;
  }
  node.setAttribute('href', url);
  node.setAttribute('rel', 'noopener noreferrer');
  node.setAttribute('target', '_blank');
});

function render(token) {
  return [...DOMPurify.sanitize(marked.parser([token]), CLEAN).childNodes];
}

// Shows a text that grows in an element: only the blocks that changed are made
// anew, so a long answer costs no more than its last block.
export class MarkdownView {
  #element;
  #blocks = []; // {raw, nodes}

  constructor(element) {
    this.#element = element;
  }

  show(text) {
    const tokens = marked.lexer(text);
    let same = 0;
    while (same < tokens.length && this.#blocks[same]?.raw === tokens[same].raw) same++;
    // Only the last block may still be going on.
    if (same === this.#blocks.length && same > 0 && tokens.length > same) same--;
    for (const block of this.#blocks.splice(same)) block.nodes.forEach((node) => node.remove());
    for (const token of tokens.slice(same)) {
      const nodes = render(token);
      this.#element.append(...nodes);
      this.#blocks.push({ raw: token.raw, nodes });
    }
  }
}

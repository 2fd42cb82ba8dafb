// SPDX-License-Identifier: Apache-2.0
// Light or dark, before the first paint: what was chosen here, else what the
// system says. No module, because those run after it.
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)');

  function chosen() {
    try {
      return localStorage.getItem('bailian.admin.theme');
    } catch {
      return null; // storage is switched off
    }
  }

  function show() {
    document.documentElement.dataset.theme = chosen() ?? (system.matches ? 'dark' : 'light');
    document.dispatchEvent(new Event('theme'));
  }

  system.addEventListener('change', show);
  show();
})();

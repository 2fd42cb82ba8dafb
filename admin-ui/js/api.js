// SPDX-License-Identifier: Apache-2.0
// The only place that asks the server. Paths are relative to the page, so that
// it works below any Location.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.detail = problem.detail ?? '';
  }
}

// fetch() refuses a URL with a user name in it, which is what a relative path
// becomes on a page that was opened as http://user:password@host/.
function absolute(path) {
  const url = new URL(path, document.baseURI);
  url.username = '';
  url.password = '';
  return url;
}

async function get(path) {
  const response = await fetch(absolute(path), {
    headers: { Accept: 'application/json' },
    cache: 'no-store',
    signal: AbortSignal.timeout(5000),
  });
  if (response.ok) return response.json();
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // not ours: a proxy's page, say
  }
  throw new Refused(response.status, problem);
}

export const overview = () => get('api/overview');
export const live = (limit) => get(`api/live?limit=${limit}`);

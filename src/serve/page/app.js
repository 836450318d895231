// The page: shows the view that the address names.

import { h, problemBox } from './dom.js';
import { ask } from './ask.js';
import { library } from './library.js';
import { run } from './run.js';
import { search } from './search.js';
import { timeline } from './timeline.js';

const views = { ask, timeline, search, library, run };
const main = document.getElementById('main');
let leave = () => {};

/** Shows the view of the address: `#/search?words=keys`. */
async function show() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  const view = views[name] ? name : 'ask';
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  leave();
  leave = () => {};
  main.replaceChildren(h('div', { class: 'progress' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Loading…'));
  try {
    const content = await views[view](new URLSearchParams(query), rest);
    leave = content.leave ?? leave;
    main.replaceChildren(...content.parts);
    document.title = `${content.title} · elenchus`;
    content.ready?.();
  } catch (error) {
    main.replaceChildren(problemBox(error));
  }
}

const theme = document.getElementById('theme');
const dark = matchMedia('(prefers-color-scheme: dark)');
const chosen = () => localStorage.getItem('theme') ?? (dark.matches ? 'dark' : 'light');
const paint = () => { document.documentElement.dataset.theme = chosen(); };
theme.addEventListener('click', () => {
  localStorage.setItem('theme', chosen() === 'dark' ? 'light' : 'dark');
  paint();
});
dark.addEventListener('change', paint);
paint();
window.addEventListener('hashchange', show);
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
show();

// The script of Souk's pages. Every page works without it; it adds live progress,
// consent in a dialog and search while typing. All words come from the server: a
// page is fetched again and the parts that changed are put in place. Pages are
// parsed by XMLHttpRequest's responseType "document", which runs no script and is
// no sink of Trusted Types, so that the strictest policy holds.

// inside returns what the parts of a page are in: the document, or the shadow root of
// isolated mode, which in a fetched document is a plain template still.
function inside(doc) {
  const host = doc.getElementById('souk');
  return host?.shadowRoot ?? host?.querySelector(':scope > template[shadowrootmode]')?.content ?? doc;
}
const root = inside(document);

const SKELETON_AFTER = 200; // ms before a placeholder shows
const TYPING = 250; // ms after the last key before a search
const AGAIN = 400; // ms between two refreshes of a page

function page(method, url, body) {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open(method, url);
    x.responseType = 'document';
    x.onload = () => (x.response ? resolve(inside(x.response)) : reject(new Error('not a page')));
    x.onerror = () => reject(new Error('not reached'));
    x.send(body);
  });
}

function say(text) {
  const status = root.getElementById('souk-status');
  if (status) status.textContent = text;
}

// swap puts an element of a fetched page in the place of ours, keeping the focus.
function swap(old, fresh) {
  if (!fresh || old.isEqualNode(fresh)) return;
  const at = old.contains(root.activeElement) ? [...old.querySelectorAll('a,button,input,summary')].indexOf(root.activeElement) : -1;
  const open = [...old.querySelectorAll('details')].map((d) => d.open);
  const node = document.importNode(fresh, true);
  [...node.querySelectorAll('details')].forEach((d, i) => { d.open = d.open || !!open[i]; });
  old.replaceWith(node);
  if (at >= 0) (node.querySelectorAll('a,button,input,summary')[at] || node.closest('[tabindex]'))?.focus();
}

let refreshing = 0;
let dirty = false;
let asking = 0; // forms that wait for their plan: what they stand in stays in place until then

// refresh fetches the page that is shown and swaps its live parts.
async function refresh() {
  if (refreshing || asking) { dirty = true; return; }
  refreshing = 1;
  dirty = false;
  try {
    const doc = await page('GET', location.href);
    if (asking) dirty = true;
    else for (const old of root.querySelectorAll('[data-live]')) swap(old, doc.getElementById(old.id));
  } catch { /* the next event tries again */ }
  setTimeout(() => { refreshing = 0; if (dirty) refresh(); }, AGAIN);
}

// A part with data-again waits for something elsewhere: it is looked at again after so
// many ms, until it says nothing of the kind any more.
function again() {
  const ms = Number(root.querySelector('[data-again]')?.dataset.again);
  if (ms) setTimeout(async () => { if (!document.hidden) await refresh(); again(); }, ms);
}
again();
// On a narrow screen the tab that is open may lie outside; only its row is scrolled.
const tab = root.querySelector('.souk-tabs [aria-current]');
if (tab) tab.closest('.souk-tabs').scrollLeft += tab.getBoundingClientRect().left - tab.closest('.souk-tabs').getBoundingClientRect().left - 40;

// souk-live listens to what goes on while the page is visible: a hidden tab keeps
// no connection, and catches up when it is shown.
class Live extends HTMLElement {
  #source = null;
  #last = '';
  #born = Date.now();
  #seen = () => (document.hidden ? this.#stop() : this.#start());

  connectedCallback() {
    document.addEventListener('visibilitychange', this.#seen);
    this.#seen();
  }

  disconnectedCallback() {
    document.removeEventListener('visibilitychange', this.#seen);
    this.#stop();
  }

  #start() {
    const src = this.getAttribute('src');
    if (this.#source || !src || !window.EventSource) return;
    this.#source = new EventSource(this.#last ? `${src}?after=${this.#last}` : src);
    this.#source.addEventListener('operation', (e) => {
      this.#last = e.lastEventId;
      this.#show(JSON.parse(e.data));
    });
    this.#source.addEventListener('reset', (e) => { // the panel was started again
      this.#last = e.lastEventId;
      refresh();
    });
  }

  #stop() {
    this.#source?.close();
    this.#source = null;
  }

  #show(op) {
    if (op.final && Date.parse(op.ended) < this.#born - 60000) return; // long over when the page was made
    const parts = root.querySelectorAll(`[data-op="${CSS.escape(op.id)}"]`);
    let known = parts.length > 0;
    for (const part of parts) {
      if (part.dataset.mark !== op.mark) known = false;
      const word = part.querySelector('[data-word]');
      const bar = part.querySelector('progress');
      if (word && word.textContent !== op.word) word.textContent = op.word;
      if (bar) bar.value = Math.round(op.progress * 100);
    }
    if (known) return;
    if (op.final && op.verdict) say(`${op.title}: ${op.verdict}`);
    refresh();
  }
}
customElements.define('souk-live', Live);

// A form with data-consent shows the plan it leads to in a dialog over the page.
async function consent(form, button) {
  asking++;
  button.disabled = true;
  const busy = setTimeout(() => button.setAttribute('aria-busy', 'true'), SKELETON_AFTER);
  try {
    const doc = await page('POST', form.action, new URLSearchParams(new FormData(form)));
    const part = doc.querySelector('[data-dialog]');
    if (!part) throw new Error('no plan');
    const dialog = document.createElement('dialog');
    dialog.className = 'souk-dialog';
    dialog.append(document.importNode(part, true));
    const title = dialog.querySelector('h1');
    title.id = title.id || 'souk-dialog-title';
    title.tabIndex = -1; // the focus begins at the words, not at whatever can be pressed first
    title.toggleAttribute('autofocus', !dialog.querySelector('[autofocus]'));
    dialog.setAttribute('aria-labelledby', title.id);
    form.closest('.souk').append(dialog);
    dialog.addEventListener('click', (e) => {
      if (e.target === dialog || e.target.closest('[data-close]')) { e.preventDefault(); dialog.close(); }
    });
    dialog.addEventListener('close', () => { dialog.remove(); button.focus(); });
    dialog.showModal();
  } catch {
    form.removeAttribute('data-consent');
    button.disabled = false;
    form.requestSubmit(button); // the plain way says what is wrong
  } finally {
    clearTimeout(busy);
    button.removeAttribute('aria-busy');
    button.disabled = false;
    asking--;
    if (dirty) refresh();
  }
}

// Search while typing: the results are swapped, the address follows.
let typing = 0;
let asked = 0;

async function search(form) {
  const mine = ++asked;
  const data = new URLSearchParams([...new FormData(form)].filter(([, v]) => v));
  const url = form.action + (data.size ? `?${data}` : '');
  const id = form.dataset.search;
  const slow = setTimeout(() => skeleton(root.getElementById(id)), SKELETON_AFTER);
  try {
    const doc = await page('GET', url);
    if (mine !== asked) return;
    swap(root.getElementById(id), doc.getElementById(id));
    history.replaceState(null, '', url);
    say(root.querySelector('[data-announce]')?.textContent || '');
  } catch {
    if (mine === asked) location.assign(url);
  } finally {
    clearTimeout(slow);
  }
}

function skeleton(box) {
  const grid = box && [...box.querySelectorAll('.souk-grid')].pop();
  const shape = root.getElementById('souk-skeleton');
  if (!grid || !shape) return;
  box.setAttribute('aria-busy', 'true');
  for (const section of box.querySelectorAll('section')) section.hidden = !section.contains(grid);
  grid.replaceChildren(...Array.from({ length: Math.max(4, grid.children.length) }, () => document.importNode(shape.content, true)));
}

root.addEventListener('submit', (e) => {
  const form = e.target;
  if (form.matches('[data-consent]')) {
    e.preventDefault();
    consent(form, e.submitter || form.querySelector('button'));
  } else if (form.matches('[data-search]')) {
    e.preventDefault();
    search(form);
  } else if (form.method === 'post') {
    for (const b of form.querySelectorAll('button')) setTimeout(() => { b.disabled = true; });
  }
});
root.addEventListener('input', (e) => {
  const form = e.target.closest('[data-search]');
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => search(form), e.target.matches('select') ? 0 : TYPING);
});
// The browser looks for the fragment of an address in the document only.
function reveal() {
  if (root === document) return;
  let id = location.hash.slice(1);
  try { id = decodeURIComponent(id); } catch { /* as it stands */ }
  root.getElementById(id)?.scrollIntoView();
}
addEventListener('hashchange', reveal);
reveal();
addEventListener('pageshow', (e) => {
  if (e.persisted) location.reload(); // buttons and states of a cached page are old
});

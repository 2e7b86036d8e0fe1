// Passkeys on forms; Script in credential.go says how. Strings only ever become text.
const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const base64 = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

// prepare makes bytes of what JSON could only say as text.
function prepare(o) {
  const ids = (list) => (list || []).map((c) => ({ ...c, id: bytes(c.id) }));
  const out = { ...o, challenge: bytes(o.challenge) };
  if (o.user) out.user = { ...o.user, id: bytes(o.user.id) };
  if (o.excludeCredentials) out.excludeCredentials = ids(o.excludeCredentials);
  if (o.allowCredentials) out.allowCredentials = ids(o.allowCredentials);
  return out;
}

function portable(c) {
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (c.response[name]) response[name] = base64(c.response[name]);
  }
  if (c.response.getTransports) response.transports = c.response.getTransports();
  return { id: c.id, rawId: base64(c.rawId), type: c.type, response, clientExtensionResults: {} };
}

async function post(url, body, type) {
  const r = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': type, Accept: 'application/json' }, redirect: 'error' });
  const answer = await r.json().catch(() => ({}));
  if (!r.ok) throw Object.assign(new Error(), { detail: answer.detail });
  return answer;
}

async function run(form) {
  const { soukPasskey, begin, finish } = form.dataset;
  const fields = Object.fromEntries([...new FormData(form)].filter(([, v]) => typeof v === 'string'));
  const { ceremony, publicKey } = await post(begin, new URLSearchParams(fields), 'application/x-www-form-urlencoded');
  const options = { publicKey: prepare(publicKey) };
  const made = await (soukPasskey === 'register' ? navigator.credentials.create(options) : navigator.credentials.get(options));
  const { location: to } = await post(finish, JSON.stringify({ ceremony, credential: portable(made), fields }), 'application/json');
  const url = new URL(to || '', location.href);
  if (url.origin === location.origin) location.assign(url.href);
}

for (const form of window.PublicKeyCredential ? document.querySelectorAll('form[data-souk-passkey]') : []) {
  const say = (text) => { const p = form.querySelector('[role=alert]'); if (p) p.textContent = text || ''; };
  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = event.submitter || form.querySelector('button');
    if (button) button.disabled = true;
    say('');
    try {
      await run(form);
    } catch (e) {
      const word = { NotAllowedError: 'cancelled', AbortError: 'cancelled', InvalidStateError: 'taken' }[e.name] || 'failed';
      say(e.detail || form.dataset[word]);
    }
    if (button) button.disabled = false;
  });
}

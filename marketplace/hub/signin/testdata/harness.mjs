// Runs passkey.js outside of a browser: node harness.mjs SCRIPT SITE KIND OUTCOME.
// The page, the form and navigator.credentials are stand-ins; the authenticator is
// package signintest's, behind SITE/authenticator/. Prints what the page shows at the end.
import { pathToFileURL } from 'node:url';

const [script, site, kind, outcome] = process.argv.slice(2);
const b64 = (b) => Buffer.from(b).toString('base64url');
const plain = (v) => (v instanceof Uint8Array ? b64(v) : Array.isArray(v) ? v.map(plain)
  : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)])) : v);
const buffer = (s) => s && new Uint8Array(Buffer.from(s, 'base64url')).buffer;

async function authenticator(verb, { publicKey }) {
  if (outcome !== 'done') throw Object.assign(new Error(), { name: outcome });
  if (!(publicKey.challenge instanceof Uint8Array)) throw new Error('challenge is not bytes');
  const r = await fetch(`${site}/authenticator/${verb}`, { method: 'POST', body: JSON.stringify(plain(publicKey)) });
  const c = await r.json();
  const { transports, ...response } = c.response;
  return {
    id: c.id, rawId: buffer(c.rawId), type: c.type,
    response: { ...Object.fromEntries(Object.entries(response).map(([k, v]) => [k, buffer(v)])), ...(transports && { getTransports: () => transports }) },
  };
}

const shown = { went: '', alert: '' };
const button = { disabled: false };
const listeners = [];
const form = {
  hidden: true,
  fields: [['name', 'My key'], ['avatar', {}]],
  dataset: { soukPasskey: kind, begin: `${site}/${kind}/begin`, finish: `${site}/${kind}/finish`, cancelled: 'cancelled.', taken: 'taken.', failed: 'failed.' },
  querySelector: (s) => (s === '[role=alert]' ? { set textContent(v) { shown.alert = v; } } : button),
  addEventListener: (_, f) => listeners.push(f),
};
globalThis.window = { PublicKeyCredential: class {} };
globalThis.document = { querySelectorAll: (s) => (s === 'form[data-souk-passkey]' ? [form] : []) };
globalThis.FormData = class { constructor(f) { this.f = f; } [Symbol.iterator]() { return this.f.fields[Symbol.iterator](); } };
globalThis.location = { href: `${site}/page`, origin: site, assign: (u) => { shown.went = u.slice(site.length); } };
Object.defineProperty(globalThis, 'navigator', { value: { credentials: { create: (o) => authenticator('create', o), get: (o) => authenticator('get', o) } } });

await import(pathToFileURL(script));
let prevented = false;
await Promise.all(listeners.map((f) => f({ submitter: button, preventDefault: () => { prevented = true; } })));
console.log(JSON.stringify({ ...shown, hidden: form.hidden, disabled: button.disabled, prevented }));

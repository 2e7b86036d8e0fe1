// The portal works without script. This only keeps a form from being sent twice.
document.addEventListener('submit', (e) => {
  if (e.defaultPrevented || e.target.method !== 'post') return;
  for (const b of e.target.querySelectorAll('button')) setTimeout(() => { b.disabled = true; });
});
addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });

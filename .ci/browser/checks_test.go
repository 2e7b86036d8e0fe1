package browser

// insideScript is where the parts of a page are: the document, or the shadow root of isolated mode.
const insideScript = `const host = document.getElementById('souk'), inside = host && host.shadowRoot || document;`

// checkScript returns what is wrong with a page: headings, labels, focus.
const checkScript = `(() => {` + insideScript + `
  const wrong = [], name = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (e.name ? '[' + e.name + ']' : '') + ' ' + (e.textContent || '').trim().slice(0, 30);
  const h1 = inside.querySelectorAll('h1').length;
  if (h1 !== 1) wrong.push(h1 + ' h1');
  if (!document.title) wrong.push('no title');
  for (const e of inside.querySelectorAll('input:not([type=hidden]), select, textarea, meter, progress'))
    if (!e.hasAttribute('aria-hidden') && ![...(e.labels || [])].some(l => l.textContent.trim()) && !e.getAttribute('aria-label') && !inside.getElementById(e.getAttribute('aria-labelledby'))) wrong.push('no label: ' + name(e));
  const y = scrollY;
  for (const e of inside.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')) {
    if (e.tabIndex > 0) wrong.push('tabindex ' + e.tabIndex + ': ' + name(e));
    if (e.disabled || e.tabIndex < 0 || !e.checkVisibility({ visibilityProperty: true })) continue;
    e.focus({ focusVisible: true, preventScroll: true });
    if (inside.activeElement !== e) { wrong.push('takes no focus: ' + name(e)); continue; }
    const seen = s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) || s.boxShadow !== 'none';
    if (![e, e.closest('.souk-card')].some(e => e && seen(getComputedStyle(e)))) wrong.push('focus is not seen: ' + name(e));
  }
  inside.activeElement?.blur();
  scrollTo(0, y);
  return wrong;
})()`

// wideScript returns what sticks out of the page on the right.
const wideScript = `(() => {` + insideScript + `
  const w = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= w) return [];
  return ['page is ' + document.documentElement.scrollWidth + ' wide', ...[...(inside.body || inside).querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > w + 1).slice(0, 4).map(e => e.tagName + '.' + e.className + ' ' + (e.textContent || '').trim().slice(0, 40))];
})()`

// steadyScript notes what moves while a page loads, and after; a thousandth of what is in view
// is a rounding of half a pixel.
const steadyScript = `self.shifted = []; new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput && e.value >= .001) shifted.push(e.value.toFixed(4) + ' by ' + e.sources.map(s => s.node && s.node.nodeName + '.' + (s.node.className || (s.node.parentNode || {}).className)).slice(0, 3).join(', ')) }).observe({ type: 'layout-shift', buffered: true })`

// targetScript returns buttons and fields that a finger does not hit well: what is less than
// 44 px in one direction, with what belongs to it.
const targetScript = `(() => {` + insideScript + `
  const wrong = [], hits = (e, x, y) => { const at = inside.elementFromPoint(x, y); return !at || e.contains(at) || at.contains(e) && at.matches('label') || [...(e.labels || [])].some(l => l.contains(at)) };
  for (const e of inside.querySelectorAll('button, .souk-button, select, textarea, input:not([type=hidden]), summary, .souk-nav a, .souk-tabs a, .souk-chips a, .souk-tags a')) {
    if (!e.checkVisibility({ visibilityProperty: true }) || e.closest('dialog') === null && inside.querySelector('dialog[open]')) continue;
    const box = [e, ...(e.labels || [])].map(x => x.getBoundingClientRect()).reduce((a, b) => ({ w: Math.max(a.w, b.width), h: Math.max(a.h, b.height) }), { w: 0, h: 0 });
    if (box.w >= 43.5 && box.h >= 43.5) continue;
    const r = e.getBoundingClientRect(), x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
    if (r.bottom < 0 || r.top > innerHeight) e.scrollIntoView({ block: 'center' });
    const q = e.getBoundingClientRect(), cx = (q.left + q.right) / 2, cy = (q.top + q.bottom) / 2;
    const tall = box.h >= 43.5 || hits(e, cx, cy - 21.5) && hits(e, cx, cy + 21.5), wide = box.w >= 43.5 || hits(e, cx - 21.5, cy) && hits(e, cx + 21.5, cy);
    if (!tall || !wide) wrong.push('small target: ' + e.tagName.toLowerCase() + '.' + e.className + ' ' + (e.textContent || e.name || '').trim().slice(0, 30) + ' ' + Math.round(q.width) + '×' + Math.round(q.height));
  }
  scrollTo(0, 0);
  return wrong.slice(0, 6);
})()`

// edgeScript returns words that are cut off, without an ellipsis or a way to scroll.
const edgeScript = `(() => {` + insideScript + `
  const wrong = [];
  for (const e of inside.querySelectorAll(inside === document ? 'main *' : '*')) {
    if (!e.childNodes.length && !e.matches('input') || !e.checkVisibility() || getComputedStyle(e).clipPath !== 'none' || e.closest('svg, .souk-sr, thead, .souk-pic, progress, [aria-hidden=true], select, textarea')) continue;
    const s = getComputedStyle(e);
    const box = e.matches('button, .souk-button, .souk-badge, select, input') && e.closest('.souk-card, .souk-notice, td, th, li, fieldset, dialog');
    if (box) {
      const a = e.getBoundingClientRect(), b = box.getBoundingClientRect();
      // A quiet button begins where the text does.
      if (a.left < b.left - 13 || a.right > b.right + 13) wrong.push('sticks out of its ' + box.tagName + '.' + box.className + ': ' + e.textContent.trim().slice(0, 40));
    }
    if (e.scrollWidth > e.clientWidth + 1 && s.overflowX === 'hidden' && s.textOverflow !== 'ellipsis' && s.webkitLineClamp === 'none' && e.clientWidth) wrong.push('cut off: ' + e.tagName + '.' + e.className + ' ' + e.textContent.trim().slice(0, 40));
  }
  return wrong.slice(0, 4);
})()`

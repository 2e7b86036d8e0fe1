// Package ui is the shared look of Souk's pages: the design tokens and the
// stylesheet, the script of custom elements, the icons, the generated plugin
// pictures, the texts, and Markdown made safe ([Prose]). The storefront
// (marketplace/store) and the hub's portal (marketplace/hub/portal) are made of it.
//
// What it is not: it has no pages, knows no market and holds no templates.
//
// # Look
//
// The stylesheet lives in cascade layers, so that every rule of a panel wins over
// it without a fight of specificity, and takes its values from tokens that a panel
// sets on any ancestor: --souk-color-bg, -surface, -fg, -muted, -border, -accent,
// -on-accent, -ok, -warn, -danger, and --souk-font, --souk-radius, --souk-space.
// The defaults are made with light-dark() and follow the page's color-scheme.
//
// # Files
//
// [Assets] serves the files under names that hold a hash of their content, so they
// are cached for ever and never stale. Nothing in a page is inline: the policy in
// [ContentSecurityPolicy] holds as it stands.
//
// # Texts
//
// All words of the pages stand in text/<language>.json, one key a text. Where a
// text holds {0}, {1} the arguments go in that place. A text with a number has the
// forms key.one and key.other.
//
// The icons are shapes from Lucide under the ISC licence; see icons/LICENSE-LUCIDE.
package ui

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
// forms key.one and key.other. English and German are complete. Texts whose keys begin
// with "say." are sentences of the engines, see [Messages.Say] and package phrase: an
// engine's own English is for logs and errors, the text here for people.
//
// Texts are for a person who runs a server and is no programmer. They say what happened,
// to what, and what to do next; a sentence has at most 25 words, a text 220 characters. The
// tests hold them to that, and to a list of words that such a person need not know. What
// publishers, operators and machines say is not translated.
//
// German says "Sie" and uses one word for one thing:
//
//	advisory        Sicherheitshinweis      permission      Berechtigung
//	agree           zustimmen               pin             festsetzen
//	blocked         gesperrt                policy          Richtlinie
//	catalog         Katalog                 publisher       Herausgeber
//	dependency      Abhängigkeit            release         Version
//	deprecated      veraltet                restore point   Wiederherstellungspunkt
//	fetch           holen                   review, rating  Bewertung
//	go back         zurückgehen             sign, signer    signieren, Unterzeichner
//	health          Befinden                source          Quelle
//	history         Verlauf                 taken back      zurückgezogen
//	hold            zurückhalten            withdrawn       entfernt
//	native code     eigenes Programm        window          Zeitfenster
//
// The icons are shapes from Lucide under the ISC licence; see icons/LICENSE-LUCIDE.
package ui

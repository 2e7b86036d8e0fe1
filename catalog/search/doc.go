// Package search is the search index over catalogs, in memory. [Build] makes an
// [Index] of snapshots, [Index.Search] answers a [Query] from it.
//
// Every word of a query has to occur in the plugin's name or id, its tags and
// keywords, its summary or its publisher, which count for less in this order. Case
// and diacritics make no difference. The last word is matched as the beginning of
// one too, since somebody may be typing it, and a word that occurs nowhere also
// finds what is one mistake away from it. Equal matches are ordered by rank, then
// by name, so that the same query has the same answer.
//
// A plugin id that stands in several sources is found once, in the first of them:
// nobody gets in front of a plugin by taking its name elsewhere.
package search

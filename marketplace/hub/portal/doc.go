// Package portal is the hub's pages for people: publishers submit and follow their
// releases, reviewers decide about them, moderators about reports, administrators about
// everything else, and everybody has an account. It is an http.Handler.
//
// Pages are rendered on the server from package ui's look and work as plain forms without
// JavaScript; script adds passkeys, which cannot be had without it, and nothing else.
// Nothing in a page is inline: the policy in ui.ContentSecurityPolicy holds.
//
// # What the handler guarantees
//
//   - Who may do what is the services' decision alone: a page that hides a button does not
//     protect anything.
//   - What is somebody else's is answered as not there.
//   - Every change is a POST from the portal's own origin, see package edge.
//   - Texts by people are plain text; release notes are sanitised Markdown. Links that
//     people gave open with rel="nofollow noopener ugc".
//   - Dangerous things ask for a recent proof of the person, and say so.
//
// The portal speaks English only.
//
// # Not built
//
// A plugin's page has no README and no pictures: the hub reads packages to check them and
// keeps none of them unpacked; panels show both. People are added to a publisher by the
// number of their account, as nobody is found by name or mail address. The statement of a
// hand-over is signed outside, with any tool that makes the bundle.
package portal

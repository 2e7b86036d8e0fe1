package identity

import "strings"

// agentName makes "Firefox on Linux" of a User-Agent header: words of ours only, so that
// nothing of the header is ever shown. Browsers name those they descend from, so the
// order matters.
func agentName(header string) string {
	find := func(words [][2]string, none string) string {
		for _, w := range words {
			if strings.Contains(header, w[0]) {
				return w[1]
			}
		}
		return none
	}
	browser := find([][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}, {"Go-http-client/", "a program"}}, "a browser")
	system := find([][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}, "")
	if system == "" {
		return browser
	}
	return browser + " on " + system
}

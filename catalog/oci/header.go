package oci

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// ContentRange is a parsed Content-Range header: the bytes First to Last, both
// included, of Size in all; Size is -1 when the server does not know.
type ContentRange struct{ First, Last, Size int64 }

// ParseContentRange reads "bytes 0-99/1000". A range that is empty, inverted or
// beyond its own size is an error.
func ParseContentRange(s string) (ContentRange, error) {
	bad := func() (ContentRange, error) {
		return ContentRange{}, fmt.Errorf("header Content-Range: %.100q is not bytes first-last/size", s)
	}
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return bad()
	}
	span, size, ok := strings.Cut(rest, "/")
	if !ok {
		return bad()
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return bad()
	}
	r := ContentRange{Size: -1}
	var err error
	if r.First, err = decimal(first); err != nil {
		return bad()
	}
	if r.Last, err = decimal(last); err != nil || r.Last < r.First {
		return bad()
	}
	if size == "*" {
		return r, nil
	}
	if r.Size, err = decimal(size); err != nil || r.Last >= r.Size {
		return bad()
	}
	return r, nil
}

// decimal reads digits only: no sign, no space.
func decimal(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

// NextLink finds the target with rel="next" in the Link headers (RFC 8288) of a
// page that came from base. It returns nil when there is none. A target with
// another scheme or host than base is an error: a registry may page through its
// own lists, not send us elsewhere.
func NextLink(base *url.URL, headers []string) (*url.URL, error) {
	for _, h := range headers {
		for h != "" {
			target, params, rest, ok := cutLink(h)
			if !ok {
				break // malformed: nobody can say what it links to
			}
			h = rest
			if !isNext(params) {
				continue
			}
			ref, err := url.Parse(target)
			if err != nil {
				return nil, fmt.Errorf("header Link: %.200q is not a URL", target)
			}
			next := base.ResolveReference(ref)
			if next.Scheme != base.Scheme || next.Host != base.Host || next.User != nil {
				return nil, fmt.Errorf("%w: header Link leads from %s to %.100q", errRefused, base.Host, next.Scheme+"://"+next.Host)
			}
			return next, nil
		}
	}
	return nil, nil
}

// cutLink takes the first link-value off h: "<target>; a=b; c=\"d\", <...".
func cutLink(h string) (target, params, rest string, ok bool) {
	h = strings.TrimLeft(h, " \t,")
	if !strings.HasPrefix(h, "<") {
		return "", "", "", false
	}
	target, after, ok := strings.Cut(h[1:], ">")
	if !ok {
		return "", "", "", false
	}
	quoted := false
	for i := range len(after) {
		switch {
		case after[i] == '"' && (i == 0 || after[i-1] != '\\'):
			quoted = !quoted
		case after[i] == ',' && !quoted:
			return target, after[:i], after[i+1:], true
		}
	}
	return target, after, "", true
}

func isNext(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(k), "rel") {
			continue
		}
		for word := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(v), `"`)) {
			if strings.EqualFold(word, "next") {
				return true
			}
		}
	}
	return false
}

package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// parseSchedule reads @hourly, @daily, @weekly, @monthly, @yearly or the five
// fields of cron in numbers: minute, hour, day of month, month, day of week.
// Fields stand with single spaces in the canonical form and are otherwise kept.
func parseSchedule(s string) (string, error) {
	if strings.HasPrefix(s, "@") {
		if !namedSchedule(s) {
			return "", fmt.Errorf("schedule %q: want @hourly, @daily, @weekly, @monthly or @yearly", s)
		}
		return s, nil
	}
	fields := strings.Fields(s)
	bounds := [...][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}
	if len(fields) != len(bounds) {
		return "", fmt.Errorf("schedule %q has %d fields, not 5 (minute, hour, day, month, weekday)", s, len(fields))
	}
	for i, f := range fields {
		for part := range strings.SplitSeq(f, ",") {
			if !validCronPart(part, bounds[i][0], bounds[i][1]) {
				return "", fmt.Errorf("schedule %q: %q is not *, a number or a range of %d to %d, with /step",
					s, part, bounds[i][0], bounds[i][1])
			}
		}
	}
	return strings.Join(fields, " "), nil
}

// validCronPart reports whether s is *, n or n-m, and optionally a step after a /.
func validCronPart(s string, low, high int) bool {
	s, step, stepped := strings.Cut(s, "/")
	if stepped {
		if n, ok := cronNumber(step); !ok || n < 1 || n > high {
			return false
		}
	}
	if s == "*" {
		return true
	}
	from, to, ranged := strings.Cut(s, "-")
	a, ok := cronNumber(from)
	if !ok || a < low || a > high {
		return false
	}
	if !ranged {
		return !stepped // 5/10 means different things to different crons
	}
	b, ok := cronNumber(to)
	return ok && a <= b && b <= high
}

// cronNumber reads one or two digits, written in the one shortest way.
func cronNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && len(s) <= 2 && strconv.Itoa(n) == s
}

// namedSchedule reports whether there is a schedule of this name; explainJob says each in words.
func namedSchedule(s string) bool {
	switch s {
	case "@hourly", "@daily", "@weekly", "@monthly", "@yearly":
		return true
	}
	return false
}

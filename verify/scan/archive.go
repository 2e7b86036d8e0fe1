package scan

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of what is unpacked to look inside archives in a package. What is over is
// reported as an error, or as a bomb when it is packed like one.
const (
	maxInflated     = 1 << 30  // bytes unpacked of one release
	maxHeld         = 64 << 20 // bytes of an archive inside an archive, which is held in memory
	maxEntries      = 100_000  // of all archives in one release
	maxArchiveDepth = 4        // archives inside archives
	maxEntryName    = 500      // bytes
	// A bomb is what unpacks to more than bombRatio times its size and to more than
	// bombFree bytes. Texts and logs reach 50, sparse data 200; deflate ends at 1032.
	bombRatio = 200
	bombFree  = 16 << 20
)

type archives struct {
	inflated int64 // bytes unpacked at most
}

// Archives returns the scanner that looks for abuse of archives and names: names that
// leave the package, hide what they are or are one on some systems; files that are no
// files; and, inside zip, tar, gzip and bzip2 files of the package, the same and bombs,
// depth and encryption. It unpacks as little as it needs to, and nothing to disk. What
// it cannot look into (xz, zstd, 7z, rar, encrypted) it says; what is larger than it
// looks into is an error.
func Archives() Scanner { return archives{maxInflated} }

// Name returns "archives".
func (archives) Name() string { return "archives" }

func (a archives) Scan(ctx context.Context, fsys fs.FS, _ Subject) (Report, error) {
	out := newSheet(a.Name())
	names := make(nameSet)
	err := walkAll(ctx, fsys, func(name string, d fs.DirEntry) error {
		if name == "." {
			return nil
		}
		names.check(out, name, "", d.IsDir())
		switch {
		case d.IsDir():
		case !d.Type().IsRegular():
			out.add(Finding{
				Rule: "file-irregular", Severity: SeverityHigh, File: name, Title: "not a regular file",
				Detail: fmt.Sprintf("it is of type %s: links and devices reach out of the package", d.Type()), Advice: "pack the file itself",
			})
		default:
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
				out.add(Finding{
					Rule: "file-setuid", Severity: SeverityHigh, File: name, Title: "runs with another's rights",
					Detail: fmt.Sprintf("its mode is %s", info.Mode()), Advice: "pack it without the setuid and setgid bits",
				})
			}
		}
		return nil
	})
	if err != nil {
		return out.broken(err)
	}
	look := &unpacker{ctx: ctx, out: out, limit: a.inflated}
	err = out.walk(ctx, fsys, func(name string, f fs.File, size int64) error {
		look.top, look.packed, look.inflated, look.bomb = name, size, 0, false
		return look.file(f)
	})
	if err != nil {
		return out.broken(err)
	}
	return out.done()
}

const archiveHead = 512 // bytes: one tar header

// archiveKind tells by its content what a file is, empty for no archive.
func archiveKind(b []byte) string {
	has := func(magic string) bool { return strings.HasPrefix(string(b[:min(len(b), 8)]), magic) }
	switch {
	case has("PK\x03\x04"), has("PK\x05\x06"):
		return "zip"
	case has("\x1f\x8b"):
		return "gzip"
	case has("BZh") && len(b) > 4 && '1' <= b[3] && b[3] <= '9':
		return "bzip2"
	case has("\xfd7zXZ\x00"):
		return "xz"
	case has("\x28\xb5\x2f\xfd"):
		return "zstd"
	case has("7z\xbc\xaf\x27\x1c"):
		return "7z"
	case has("Rar!\x1a\x07"):
		return "rar"
	case len(b) >= 512 && string(b[257:262]) == "ustar":
		return "tar"
	}
	return ""
}

// nameSet remembers names by what systems that ignore case and form take them for.
type nameSet map[string]string

// check reports what is wrong with a name. Inside an archive, archive says which.
func (n nameSet) check(out *sheet, name, archive string, dir bool) {
	file, where := name, ""
	if archive != "" {
		file, where = archive, "entry "+Printable(name, 200)+": "
	}
	bad := func(rule string, severity Severity, detail string) {
		out.add(Finding{
			Rule: rule, Severity: severity, Confidence: ConfidenceHigh, File: file, Title: "dangerous file name",
			Detail: where + detail, Advice: "rename it",
		})
	}
	clean := strings.TrimSuffix(name, "/")
	switch {
	case len(name) > maxEntryName:
		bad("name-long", SeverityMedium, fmt.Sprintf("the name has %d bytes", len(name)))
		return
	case !utf8.ValidString(name):
		bad("name-encoding", SeverityMedium, "the name is not UTF-8")
		return
	case clean == "" || strings.HasPrefix(name, "/") || strings.Contains("/"+clean+"/", "/../"):
		bad("name-escape", SeverityHigh, "the name leads out of where it is unpacked")
	case strings.Contains(name, `\`) || len(name) > 1 && name[1] == ':':
		severity := SeverityMedium
		if strings.Contains(name, `..\`) || name[0] == '\\' || name[1] == ':' {
			severity = SeverityHigh
		}
		bad("name-escape", severity, "the name leads elsewhere on Windows")
	}
	for _, r := range name {
		if unicode.Is(unicode.Bidi_Control, r) {
			bad("name-hidden", SeverityHigh, fmt.Sprintf("the name has %U, which changes the order in which it is shown", r))
			break
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			bad("name-hidden", SeverityMedium, fmt.Sprintf("the name has %U, which is not shown", r))
			break
		}
	}
	if dir {
		return
	}
	key := fold(strings.TrimPrefix(clean, "./"))
	if other, ok := n[key]; ok {
		rule, detail := "name-same", "the same name is in it twice"
		if other != name {
			detail = "on some systems it is the same as " + Printable(other, 200)
		}
		bad(rule, SeverityMedium, detail)
	}
	n[key] = name
}

// fold returns what a file system that ignores case and compatibility forms takes a
// name for.
func fold(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

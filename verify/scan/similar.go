package scan

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Match says which name another one can be taken for, and why.
type Match struct {
	Name string `json:"name"` // the known one
	Why  string `json:"why"`  // "one letter differs", to go after "looks like x:"
}

// Similar reports whether a person could take name for one of known, of which it is
// none: it looks the same (case, full-width and accented forms, letters of other
// scripts, 0 for o, rn for m), has the same words in another form or order, differs by
// a typing error, or by a word that says nothing ("official", "plugin"). The closest
// is returned. Names equal to a known one are not similar to anything: they are that
// one. Short names are close to each other by chance, so that errors of typing count
// from five letters on (swapped neighbours: four), two of them from ten on.
//
// It is for names of up to a few hundred characters, and takes some microseconds per
// known name. It depends on its arguments only.
func Similar(name string, known []string) (Match, bool) {
	if slices.Contains(known, name) {
		return Match{}, false
	}
	best, bestRank := Match{}, len(reasons)
	n := likenessOf(name)
	for _, k := range known {
		if rank := n.rank(likenessOf(k)); rank < bestRank {
			best, bestRank = Match{k, reasons[rank]}, rank
		}
	}
	return best, bestRank < len(reasons)
}

// reasons, the strongest first.
var reasons = [...]string{
	looksSame: "it looks the same",
	sameWords: "the same words in another order",
	swapped:   "two letters are swapped",
	oneLetter: "one letter differs",
	addedWord: "only a word is added that says nothing",
	twoErrors: "two letters differ",
}

const (
	looksSame = iota
	sameWords
	swapped
	oneLetter
	addedWord
	twoErrors
	different
)

const (
	minSwap   = 4  // letters of a name that typing errors count in
	minEdit   = 5  // likewise
	minTwo    = 10 // likewise
	maxLooked = 200
)

// likeness is a name as a person sees it.
type likeness struct {
	letters  string   // its skeleton without separators
	words    []string // between separators, sorted
	unsorted []string
	base     string // as it is written, without the number at its end
	numbered bool
}

func likenessOf(name string) likeness {
	skeleton := Skeleton(name)
	words := strings.FieldsFunc(skeleton, separator)
	sorted := slices.Sorted(slices.Values(words))
	base := strings.TrimRight(name, "0123456789")
	return likeness{letters: strings.Join(words, ""), words: sorted, unsorted: words, base: base, numbered: base != name}
}

func separator(r rune) bool { return strings.ContainsRune("-_./ ", r) }

func (n likeness) rank(k likeness) int {
	switch {
	case n.letters == "" || k.letters == "" || n.otherNumber(k):
		return different
	case n.letters == k.letters:
		return looksSame
	case len(n.words) > 1 && slices.Equal(n.words, k.words):
		return sameWords
	}
	short := min(len(n.letters), len(k.letters))
	switch distance := editDistance(n.letters, k.letters); {
	case distance == 1 && short >= minSwap && isSwap(n.letters, k.letters):
		return swapped
	case distance == 1 && short >= minEdit:
		return oneLetter
	case n.adds(k) || k.adds(n):
		return addedWord
	case distance == 2 && short >= minTwo:
		return twoErrors
	}
	return different
}

// otherNumber: php-7 and php-8 are two things.
func (n likeness) otherNumber(k likeness) bool {
	return n.numbered && k.numbered && n.base == k.base
}

// empty are the skeletons of words that make no difference to whom people think a
// name belongs.
var empty = skeletons("official original real the plugin plugins addon app apps team hq inc llc ltd gmbh corp org dev io com net co " +
	"project new pro js go py lib core verified secure support")

func skeletons(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[skeletonASCII(w)] = true
	}
	return m
}

// adds reports whether n is k with such words, whether set off or not.
func (n likeness) adds(k likeness) bool {
	if len(k.letters) < minSwap {
		return false
	}
	if rest := slices.DeleteFunc(slices.Clone(n.unsorted), isEmptyWord); len(rest) < len(n.unsorted) && strings.Join(rest, "") == k.letters {
		return true
	}
	if after, ok := strings.CutPrefix(n.letters, k.letters); ok && isEmptyWord(after) {
		return true
	}
	before, ok := strings.CutSuffix(n.letters, k.letters)
	return ok && isEmptyWord(before)
}

func isEmptyWord(w string) bool { return empty[w] }

// editDistance is the number of letters to insert, delete, change or swap with their
// neighbour (optimal string alignment), or 3 when it is more than two.
func editDistance(a, b string) int {
	const tooMuch = 3
	if d := len(a) - len(b); d >= tooMuch || -d >= tooMuch || len(a) > maxLooked || len(b) > maxLooked {
		return tooMuch
	}
	var rows [3][maxLooked + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= tooMuch {
			return tooMuch
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], tooMuch)
}

func isSwap(a, b string) bool { return len(a) == len(b) && sortedBytes(a) == sortedBytes(b) }

func sortedBytes(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(b)
}

// Skeleton returns what a name looks like, in lower-case ASCII where it looks like
// that: names with equal skeletons are taken for each other. It follows UTS #39
// (https://www.unicode.org/reports/tr39/) with a small table of its own, for names
// that pretend to be ASCII; it is not for showing.
func Skeleton(name string) string {
	if len(name) > 4*maxLooked {
		name = strings.ToValidUTF8(name[:4*maxLooked], "")
	}
	if !isASCII(name) {
		name = toASCII(name)
	}
	return skeletonASCII(strings.ToLower(name))
}

// toASCII replaces what looks like ASCII. Marks and what is not seen go.
func toASCII(name string) string {
	name = norm.NFKD.String(cases.Fold().String(norm.NFKC.String(name)))
	var b strings.Builder
	for _, r := range name {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Cc):
		case unicode.In(r, unicode.Pd, unicode.Zs):
			b.WriteByte('-')
		default:
			if ascii, ok := confusables[r]; ok {
				b.WriteString(ascii)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

var looksLike = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d", "0", "o", "1", "l", "i", "l", "|", "l", "!", "l", "5", "s", "$", "s", "3", "e", "@", "a")

// skeletonASCII merges ASCII that looks alike. "l", "i" and "1" are one.
func skeletonASCII(s string) string { return looksLike.Replace(s) }

// confusables are letters, after case folding and without marks, that look like ASCII.
var confusables = table(
	// Cyrillic
	"а=a в=b е=e ё=e з=3 и=u к=k м=m н=h о=o р=p с=c т=t у=y х=x ѕ=s і=i ї=i ј=j ћ=h ԁ=d ԛ=q ԝ=w ѵ=v ү=y ӏ=l ь=b ә=e һ=h ҝ=k г=r п=n ш=w ц=u ч=4 б=6",
	// Greek
	"α=a β=b γ=y ε=e η=n ι=i κ=k ν=v ο=o ρ=p σ=o ς=s τ=t υ=u χ=x ω=w ϲ=c ϳ=j μ=u ζ=z",
	// Latin beyond ASCII that NFKD does not take apart
	"ı=i ȷ=j ł=l ø=o đ=d ħ=h ŧ=t ƅ=b ɑ=a ɡ=g ɩ=i ɪ=i ʀ=r ʏ=y ʋ=u ß=ss æ=ae œ=oe þ=p ð=d ŋ=n ƒ=f ƙ=k ƞ=n ɓ=b ɗ=d ɢ=g ɴ=n ʟ=l ᴀ=a ᴄ=c ᴅ=d ᴇ=e ᴊ=j ᴋ=k ᴍ=m ᴏ=o ᴘ=p ᴛ=t ᴜ=u ᴠ=v ᴡ=w ᴢ=z ꜱ=s ɛ=e ɔ=c ǀ=l",
	// Armenian, Georgian, Cherokee and others
	"օ=o ո=n ս=u հ=h ա=w զ=q գ=q ց=g յ=j ღ=m ꮪ=s ꭰ=d ꭱ=r ꭲ=i ꮃ=w ꮋ=h ꮯ=c ꮢ=r ꮤ=w ꮮ=l ꮲ=p ꮓ=z ꮶ=k ⲟ=o ⲣ=p ⲥ=c ⲁ=a ⲉ=e ٥=o ہ=o ൦=o ๐=o ໐=o ០=o 〇=o",
	// Marks that look like those of ASCII; NFKC and the category of dashes do the rest
	"∕=/ ⁄=/ ․=. ‗=_ ˗=- ⁃=- −=- ʹ=' ʼ=' ׀=l ∣=l ⵏ=l",
)

func table(rows ...string) map[rune]string {
	m := make(map[rune]string)
	for _, row := range rows {
		for entry := range strings.FieldsSeq(row) {
			from, to, _ := strings.Cut(entry, "=")
			r, _ := utf8.DecodeRuneInString(cases.Fold().String(from))
			m[r] = to
		}
	}
	return m
}

package community

// Prose is what texts are held to.
func Prose(s string, most int) (string, error) { return prose("text", s, most, false) }

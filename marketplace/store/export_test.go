package store

// MaxStreams and MaxStreamsEach bound the streams of events.
const (
	MaxStreams     = maxStreams
	MaxStreamsEach = maxStreamsEach
	WriteWait      = writeWait
)

// Rights are what a route asks for.
var rightNames = map[right]string{mayView: "view", mayInstall: "install", mayAdminister: "administer"}

// Routes returns the right that each pattern asks for.
func (h *Handler) Routes() map[string]string {
	out := map[string]string{}
	for _, r := range h.shops["en"].routed {
		out[r.pattern] = rightNames[r.need]
	}
	return out
}

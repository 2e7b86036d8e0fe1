package community

import (
	"context"
	"errors"

	"github.com/souk-dev/souk/marketplace/hub"
)

var errNotBuilt = errors.New("not built yet")

// MaxEvidence is how many addresses a report names.
const MaxEvidence = 10

// NewReport says what is wrong with something.
type NewReport struct {
	Kind    hub.SubjectKind `json:"kind"`
	Subject string          `json:"subject"` // as [hub.SubjectKind] says
	Reason  string          `json:"reason"`  // one of [hub.Reasons]
	Text    string          `json:"text"`    // at most [MaxReason]; needed
	// Evidence are https addresses, at most [MaxEvidence]. Nothing fetches them.
	Evidence []string `json:"evidence,omitempty"`
}

// CreateReport files a report about something that the actor can see; what they cannot is
// [hub.ErrNotFound]. Who has an open report about the same thing gets [hub.ErrExists],
// and [*hub.LimitError] beyond [hub.Policy.ReportsDay] in a day.
func (s *Service) CreateReport(ctx context.Context, a hub.Actor, n NewReport) (hub.Report, error) {
	return hub.Report{}, errNotBuilt
}

// ReportQuery asks for reports. The zero value: all open ones.
type ReportQuery struct {
	State     hub.ReportState // empty: open
	Kind      hub.SubjectKind // empty: any
	Subject   string          // empty: any
	Publisher string          // empty: any
	Reason    string          // empty: any
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Reports returns the queue of reports, to who may see it: the gravest reason first, in
// the order of [Severity], and the oldest first among those.
func (s *Service) Reports(ctx context.Context, a hub.Actor, q ReportQuery) (hub.Page[hub.Report], error) {
	return hub.Page[hub.Report]{}, errNotBuilt
}

// MyReports returns the actor's own reports, newest first.
func (s *Service) MyReports(ctx context.Context, a hub.Actor, cursor string, limit int) (hub.Page[hub.Report], error) {
	return hub.Page[hub.Report]{}, errNotBuilt
}

// Report returns a report, to who made it and who may see the queue.
func (s *Service) Report(ctx context.Context, a hub.Actor, id string) (hub.Report, error) {
	return hub.Report{}, errNotBuilt
}

// Severity returns how grave a reason is, 0 for the gravest: the place in [hub.Reasons].
// What is no reason sorts last.
func Severity(reason string) int {
	for i, r := range hub.Reasons() {
		if r == reason {
			return i
		}
	}
	return len(hub.Reasons())
}

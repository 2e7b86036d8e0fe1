package community

import (
	"context"

	"github.com/souk-dev/souk/marketplace/hub"
)

// NewAppeal asks for another person to look. One of Decision and Submission is given.
type NewAppeal struct {
	Decision   string `json:"decision,omitempty"`   // id of a decision to hide, warn, suspend or withdraw
	Submission string `json:"submission,omitempty"` // id of a rejected submission
	Text       string `json:"text"`                 // why; needed, at most [MaxReason]
}

// Appeal files an appeal: of a decision, by whose thing it was about or a member of the
// publisher, once; of a rejected submission, by a member, once for each rejection. A
// second one is [hub.ErrExists]. A suspended account may appeal for itself.
func (s *Service) Appeal(ctx context.Context, a hub.Actor, n NewAppeal) (hub.Appeal, error) {
	return hub.Appeal{}, errNotBuilt
}

// DecideAppeal grants an appeal or upholds what was decided. Granted, the decision is
// reversed as by [Service.Reverse], or the submission goes back to review. Who decided
// before, reviewed the submission, appeals or belongs to the publisher may not.
func (s *Service) DecideAppeal(ctx context.Context, a hub.Actor, id string, grant bool, answer string) (hub.Appeal, error) {
	return hub.Appeal{}, errNotBuilt
}

// AppealQuery asks for appeals.
type AppealQuery struct {
	State     hub.AppealState // empty: any
	Publisher string          // empty: any
	Mine      bool            // the actor's own
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Appeals returns appeals, oldest first: the actor's own ones, those of a publisher to its
// members, all to who may see the queue of reports.
func (s *Service) Appeals(ctx context.Context, a hub.Actor, q AppealQuery) (hub.Page[hub.Appeal], error) {
	return hub.Page[hub.Appeal]{}, errNotBuilt
}

// AppealByID returns an appeal to who may see the queue and whom it concerns.
func (s *Service) AppealByID(ctx context.Context, a hub.Actor, id string) (hub.Appeal, error) {
	return hub.Appeal{}, errNotBuilt
}

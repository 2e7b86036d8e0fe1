package community

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Numbers of [Burst].
const (
	BurstDays   = 28 // days of history
	BurstFloor  = 10 // so many new ratings in a day are never a burst
	BurstFactor = 4  // times the mean of the history
)

// Burst reports whether today's number of new ratings is more than a plugin's history
// explains: more than [BurstFloor], and more than [BurstFactor] times the mean of the
// last [BurstDays] days. history has the days before today in any order; what is missing
// counts as days without a rating, so a plugin's first days are held to the floor.
func Burst(history []int, today int) bool {
	sum := 0
	for _, n := range history {
		sum += n
	}
	return today > BurstFloor && today*BurstDays > BurstFactor*sum
}

// ratingDays is how many new ratings a plugin got, by day. It changes in the transaction
// that adds one, and deleting a rating does not change it.
type ratingDays struct {
	Day      int   `json:"day"`
	Today    int   `json:"today"`
	Past     []int `json:"past"` // the days before, newest last
	Reported bool  `json:"reported,omitempty"`
}

// roll moves the days on.
func (d *ratingDays) roll(day int) {
	if day-d.Day > BurstDays {
		*d = ratingDays{Day: day}
	}
	for ; d.Day < day; d.Day++ {
		d.Past = append(d.Past, d.Today)
		d.Today, d.Reported = 0, false
	}
	d.Past = d.Past[max(0, len(d.Past)-BurstDays):]
}

// countNew counts a new rating of a plugin and reports whether it is to be held. The
// first held one of a day is reported, by the hub itself.
func (s *Service) countNew(ctx context.Context, tx hub.Tx, p hub.Plugin, now time.Time) (bool, error) {
	days, err := daysOf(ctx, tx, p.ID, now)
	if err != nil {
		return false, err
	}
	days.roll(hub.Day(now))
	days.Today++
	held := Burst(days.Past, days.Today)
	if held && !days.Reported {
		days.Reported = true
		sum := 0
		for _, n := range days.Past {
			sum += n
		}
		r := hub.Report{
			ID: hub.NewID("rep", now), Kind: hub.SubjectPlugin, Subject: p.ID, Publisher: p.Publisher, Reason: "abuse",
			Text:  fmt.Sprintf("%d new ratings today, and %.1f a day in the %d days before: more of today are held until a moderator looks at them.", days.Today, float64(sum)/BurstDays, BurstDays),
			State: hub.ReportOpen, Created: now,
		}
		if err := tx.Reports().Insert(ctx, &r); err != nil {
			return false, err
		}
	}
	b, err := json.Marshal(days)
	if err != nil {
		return false, err
	}
	return held, tx.Onces().Put(ctx, &hub.Once{Kind: onceBurst, Key: p.ID, Data: string(b), Created: now, Expires: now.AddDate(0, 0, 2*BurstDays)})
}

// daysOf reads the days of a plugin, or counts them once when they were not kept.
func daysOf(ctx context.Context, tx hub.Tx, plugin string, now time.Time) (ratingDays, error) {
	d := ratingDays{Day: hub.Day(now)}
	o, err := tx.Onces().Get(ctx, onceBurst, plugin)
	if err == nil {
		err = json.Unmarshal([]byte(o.Data), &d)
		return d, err
	}
	if !errors.Is(err, hub.ErrNotFound) {
		return d, err
	}
	for i := -BurstDays; i <= 0; i++ {
		from := time.Unix(int64(d.Day+i)*86400, 0).UTC()
		n, err := tx.Ratings().Count(ctx, hub.Eq("plugin", plugin), hub.Ge("created", from), hub.Lt("created", from.AddDate(0, 0, 1)))
		if err != nil {
			return d, err
		}
		if i < 0 {
			d.Past = append(d.Past, int(n))
		} else {
			d.Today = int(n)
		}
	}
	return d, nil
}

package community

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Kinds of [hub.Once] that this package keeps.
const (
	onceReceipt = "receipt"
	onceSpent   = "spent"        // how often somebody did something on a day
	onceBurst   = "ratings-days" // new ratings of a plugin by day
)

// spend counts one more of what for an account on the day of now, and fails beyond most:
// what was deleted meanwhile counts too.
func spend(ctx context.Context, tx hub.Tx, account, what string, most int, now time.Time) error {
	day := hub.Day(now)
	end := time.Unix(int64(day+1)*86400, 0).UTC()
	key := fmt.Sprintf("%s %s %d", account, what, day)
	n := 0
	switch o, err := tx.Onces().Get(ctx, onceSpent, key); {
	case err == nil:
		if n, err = strconv.Atoi(o.Data); err != nil {
			return fmt.Errorf("kept count of %s: %w", key, err)
		}
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	if n >= most {
		return &hub.LimitError{What: fmt.Sprintf("%d %s a day", most, what), After: end.Sub(now)}
	}
	return tx.Onces().Put(ctx, &hub.Once{Kind: onceSpent, Key: key, Data: strconv.Itoa(n + 1), Created: now, Expires: end})
}

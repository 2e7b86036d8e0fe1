package hub

import "context"

// PriorMean returns the mean of all ratings of all plugins, which [Score.Bayesian]
// takes as its prior; the middle, 3, while there are none. It reads all scores: keep the
// answer for a while.
func PriorMean(ctx context.Context, tx Tx) (float64, error) {
	var all Score
	err := EachScore(ctx, tx, func(s Score) {
		all.S1, all.S2, all.S3, all.S4, all.S5 = all.S1+s.S1, all.S2+s.S2, all.S3+s.S3, all.S4+s.S4, all.S5+s.S5
	})
	if err != nil || all.Count() == 0 {
		return 3, err
	}
	return all.Mean(), nil
}

// EachScore calls f with the scores of all plugins, in order of their ids.
func EachScore(ctx context.Context, tx Tx, f func(Score)) error {
	q := Query{Order: "plugin", Limit: MaxList}
	for {
		scores, err := tx.Scores().List(ctx, q)
		if err != nil {
			return err
		}
		for _, s := range scores {
			f(s)
		}
		if len(scores) < MaxList {
			return nil
		}
		last := scores[len(scores)-1].Plugin
		q.After = []any{last}
	}
}

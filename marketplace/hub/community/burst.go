package community

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

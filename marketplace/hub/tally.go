package hub

// Kinds of [Tally]. Detail is empty where nothing is said.
const (
	TallyDownload  = "download"  // of a release
	TallyActive    = "active"    // a panel that runs the release; Detail: the panel's version
	TallyPair      = "pair"      // a panel that has Plugin and Detail, the greater id
	TallyRollback  = "rollback"  // of a release
	TallyUnhealthy = "unhealthy" // failed health checks of a release
	TallyRating    = "rating"    // a shown rating; Detail: its stars, "1" to "5"; N may be negative
)

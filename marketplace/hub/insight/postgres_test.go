package insight_test

import "testing"

// TestOnPostgres runs what asks most of the store on the other engine. It is skipped
// where there is no PostgreSQL, and fails there when SOUK_TEST_REQUIRE is "all".
func TestOnPostgres(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"once": TestDownloadsCountOnce, "key": TestOneKeyADay, "panels": TestPanelReport, "numbers": TestNumbers, "stats": TestStats,
		"recommend": TestRecommend, "hooks": TestHooksAreManaged, "told": TestWhoIsToldOfWhat, "deliver": TestDeliver, "again": TestDeliverAgainAndAgain,
		"feeds": TestFeeds, "digest": TestDigest, "log": TestTheLogIsPruned,
	} {
		t.Run(name, test)
	}
}

package community_test

import "testing"

// TestOnPostgres runs what asks most of the store on the other engine. It is skipped
// where there is no PostgreSQL, and fails there when SOUK_TEST_REQUIRE is "all".
func TestOnPostgres(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"rate": TestRateAndEdit, "truth": TestScoreIsTheTruth, "hands": TestOneRatingFromManyHands, "receipt": TestReceipt, "votes": TestVotes,
		"pages": TestRatingsInPages, "burst": TestABurstIsHeldAndReported, "reports": TestReports, "queue": TestQueueIsBySeverityAndAge,
		"decisions": TestDecisionsAndTheirReversal, "withdraw": TestWithdrawAndBack, "moderators": TestTwoModeratorsAtOnce, "advisories": TestAdvisories,
		"appeals": TestAppealOfADecision, "rejections": TestAppealOfARejection, "who": TestWhoReadsADecision,
	} {
		t.Run(name, test)
	}
}

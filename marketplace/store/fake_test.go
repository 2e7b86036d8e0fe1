package store_test

import "github.com/souk-dev/souk/marketplace/store/storetest"

type (
	market    = storetest.Market
	community = storetest.Hub
)

var (
	now        = storetest.Now
	newMarket  = storetest.NewMarket
	newHub     = storetest.NewHub
	mailerPlan = storetest.MailerPlan
	backupPlan = storetest.BackupPlan
	picture    = storetest.Picture
)

package portal

// routes are all pages, a file each for those of one kind of person.
func (h *Handler) routes() {
	h.signinRoutes()
	h.shelfRoutes()
	h.accountRoutes()
	h.publishRoutes()
	h.reviewRoutes()
	h.moderationRoutes()
	h.adminRoutes()
}

package main

import (
	"syscall"

	"github.com/souk-dev/souk/examples/plugins/panelapi"
)

// disks measures the file system that everything is in.
func disks() []panelapi.Disk {
	var s syscall.Statfs_t
	if err := syscall.Statfs("/", &s); err != nil {
		return nil // not known
	}
	size := int64(s.Bsize)
	return []panelapi.Disk{{Mount: "/", Usage: panelapi.Usage{Total: int64(s.Blocks) * size, Used: int64(s.Blocks-s.Bfree) * size}}}
}

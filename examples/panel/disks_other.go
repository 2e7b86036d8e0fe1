//go:build !linux

package main

import "github.com/souk-dev/souk/examples/plugins/panelapi"

// disks is not known to this panel on this system.
func disks() []panelapi.Disk { return nil }

//go:build !linux

package safefs

import (
	"errors"
	"os"
	"runtime"
)

const haveSyncFS = false

// syncDir does nothing on Windows, which has no such call; NTFS journals names.
func syncDir(d *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return d.Sync()
}

func syncFS(*os.File) error { return errors.ErrUnsupported }

func free(string) (Space, error) { return Space{}, errors.ErrUnsupported }

func onNetwork(string) bool { return false }

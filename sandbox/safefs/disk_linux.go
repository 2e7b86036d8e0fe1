package safefs

import (
	"os"

	"golang.org/x/sys/unix"
)

const haveSyncFS = true

func syncDir(d *os.File) error { return d.Sync() }

// syncFS reports errors of writing back since Linux 5.8; before, only that it was done.
func syncFS(d *os.File) error {
	c, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := c.Control(func(fd uintptr) { serr = unix.Syncfs(int(fd)) }); err != nil {
		return err
	}
	return serr
}

func free(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, err
	}
	s := Space{Bytes: st.Bavail * uint64(st.Bsize), Inodes: st.Ffree}
	if st.Files == 0 { // btrfs and others make inodes as they need them
		s.Inodes = ^uint64(0)
	}
	return s, nil
}

func onNetwork(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false // the first write will say what is wrong
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC:
		return true
	}
	return false
}

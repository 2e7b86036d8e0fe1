package scan

// ArchivesUpTo is Archives with another bound of what is unpacked, so that a test does
// not have to unpack a gigabyte.
func ArchivesUpTo(bytes int64) Scanner { return archives{bytes} }

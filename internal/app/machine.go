package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"tocsin/internal/check"
	"tocsin/internal/config"
)

// lowSpace is how little free space on the disk of data_dir is worth a word.
const lowSpace = 256 << 20

// machine looks at what the process needs of this machine: a directory it may write and an address it
// may listen on. A process that serves the directory has both already.
func machine(cfg *config.Config) []check.Finding {
	if c, err := dial(cfg.DataDir); err == nil {
		err := c.Close()
		return []check.Finding{{Part: "data_dir", Text: cfg.DataDir + " is served by a running tocsin", Warning: err != nil}}
	}
	return []check.Finding{directory(cfg), address(cfg)}
}

func directory(cfg *config.Config) check.Finding {
	f := check.Finding{Part: "data_dir", Place: cfg.Place("data_dir")}
	bad := func(err error, hint string) check.Finding {
		f.Problem, f.Text, f.Hint = true, cfg.DataDir+" cannot be used: "+err.Error(), hint
		return f
	}
	dir := cfg.DataDir
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist): // it will be made: look at where
		for dir = filepath.Dir(filepath.Clean(dir)); ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
				break
			}
		}
	case err != nil:
		return bad(err, "")
	case !st.IsDir():
		return bad(errors.New("it is a file"), "Name a directory.")
	}
	probe, err := os.CreateTemp(dir, ".tocsin-check-")
	if err != nil {
		return bad(err, "Make it writable for the user that runs tocsin, or name another one.")
	}
	_, err = probe.Write(make([]byte, 64<<10))
	err = errors.Join(err, probe.Sync(), probe.Close(), os.Remove(probe.Name()))
	if err != nil {
		return bad(err, "Free some space, or name a directory on another disk.")
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err == nil {
		if free := fs.Bavail * uint64(fs.Bsize); free < lowSpace {
			f.Warning, f.Hint = true, "Free some space, or name a directory on another disk."
			f.Text = fmt.Sprintf("%s has only %d MB of free space", cfg.DataDir, free>>20)
			return f
		}
	}
	f.Text = cfg.DataDir + " can be written"
	return f
}

func address(cfg *config.Config) check.Finding {
	f := check.Finding{Part: "listen", Place: cfg.Place("listen")}
	l, err := net.Listen("tcp", cfg.Listen.String())
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		f.Problem, f.Text, f.Hint = true, err.Error(), "Write another `listen:` address, or port 0 for a free one."
		return f
	}
	f.Text = cfg.Listen.String() + " is free"
	return f
}

// Package process owns the programs under measurement: it builds and starts them, stops them, and tells
// what each of them took. What they do and for how long is the measurement's.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopMost is how long a process may take to end when it is told to.
const stopMost = 20 * time.Second

// Process is a program under measurement, with a process group of its own.
type Process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// Usage is what a process took from its start to its end.
type Usage struct {
	CPU  time.Duration // user and system, of it and of the children it waited for
	Peak int64         // bytes of resident memory
}

// Build makes the program of this module from the directory that holds its go.mod.
func Build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", to, "./cmd/tocsin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build tocsin: %w\n%s", err, out)
	}
	return nil
}

// Start runs a program; what it prints goes to a file in dir.
func Start(dir string, env []string, name string, args ...string) (*Process, error) {
	log, err := os.Create(filepath.Join(dir, "output.log"))
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(name, args...), log: log, done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// Stop ends the program and tells what it took. The peak is read from the process while it lives: the
// one that wait tells begins with the memory of the process that started it.
func (p *Process) Stop() (u Usage, err error) {
	defer p.log.Close()
	u.Peak, err = peak(p.cmd.Process.Pid)
	if err != nil {
		err = p.Explain(err)
	}
	if failed := p.cmd.Process.Signal(syscall.SIGTERM); failed != nil {
		err = errors.Join(err, failed)
	}
	select {
	case <-p.done:
	case <-time.After(stopMost):
		err = errors.Join(err, p.Explain(errors.New("it did not stop when told to")), syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL))
		<-p.done
	}
	u.CPU = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	return u, err
}

// Explain adds the end of what the program printed.
func (p *Process) Explain(err error) error {
	text, _ := os.ReadFile(p.log.Name())
	return fmt.Errorf("%w; it printed:\n%s", err, text[max(0, len(text)-2000):])
}

// Usage tells what the program has taken so far, without the children it waited for.
func (p *Process) Usage() (u Usage, err error) {
	pid := p.cmd.Process.Pid
	if u.Peak, err = peak(pid); err != nil {
		return u, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return u, fmt.Errorf("the times of process %d cannot be read", pid)
	}
	for _, ticks := range fields[11:13] { // of the user and of the system
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(n) * time.Second / ticksPerSecond
	}
	return u, nil
}

// ticksPerSecond is the unit of /proc on Linux.
const ticksPerSecond = 100

// peak is the most resident memory that a process has had.
func peak(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmHWM", pid)
}

// Wait waits for a program that ends by itself and tells what it took. Its peak is read as long as it lives.
func (p *Process) Wait(ctx context.Context) (u Usage, err error) {
	defer p.log.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err = <-p.done:
			u.CPU = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
			if err != nil {
				err = p.Explain(err)
			}
			return u, err
		case <-tick.C:
			if now, err := peak(p.cmd.Process.Pid); err == nil {
				u.Peak = max(u.Peak, now)
			}
		case <-ctx.Done():
			err = errors.Join(ctx.Err(), syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL))
			<-p.done
			return u, err
		}
	}
}

// Load is the machine's load average over 1, 5 and 15 minutes.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

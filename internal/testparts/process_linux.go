package testparts

import (
	"os/exec"
	"syscall"
)

// setAttributes gives the child its own process group, so that an interrupt at the terminal is ours to handle, and has the
// kernel kill it when we die without a word.
func setAttributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

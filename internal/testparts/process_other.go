//go:build !linux

package testparts

import (
	"os/exec"
	"syscall"
)

func setAttributes(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

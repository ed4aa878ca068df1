"""Runs a command on a terminal of 100 columns and 20 rows, and passes on what it writes and what is typed. Its exit code is that of the command."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
inputs = [terminal, 0]
while True:
    ready, _, _ = select.select(inputs, [], [])
    if 0 in ready:
        typed = os.read(0, 1024)
        if typed:
            os.write(terminal, typed)
        else:
            inputs.remove(0)
    if terminal in ready:
        try:
            written = os.read(terminal, 65536)
        except OSError:
            break
        if not written:
            break
        os.write(1, written)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

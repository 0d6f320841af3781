#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What qemu-ga spends on a guest-get-cpustats: agent.py COUNT HZ. Starts a qemu-ga of its own on a Unix socket, asks it COUNT times,
and prints its CPU time for each call and the size of the last answer. Beside report-cost (tests/bench), on any machine."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time


def ask(stream, command):
    stream.write((json.dumps({"execute": command}) + "\n").encode())
    stream.flush()
    return stream.readline()


def cpu_usec(pid):
    """Its run time so far, by the scheduler."""
    with open("/proc/%d/schedstat" % pid) as file:
        return int(file.read().split()[0]) / 1000


def connect(path, agent):
    peer = socket.socket(socket.AF_UNIX)
    for _turn in range(100):
        try:
            peer.connect(path)
            return peer
        except OSError:
            if agent.poll() is not None:
                sys.exit("agent.py: qemu-ga has ended")
            time.sleep(0.05)
    sys.exit("agent.py: qemu-ga doesn't listen")


def main(count, hertz):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "agent")
        with subprocess.Popen(["qemu-ga", "-m", "unix-listen", "-p", path, "-t", folder]) as agent:
            try:
                with connect(path, agent).makefile("rwb") as stream:
                    ask(stream, "guest-ping")
                    before = cpu_usec(agent.pid)
                    for _turn in range(count):
                        answer = ask(stream, "guest-get-cpustats")
                        time.sleep(1 / hertz)
                    print("calls %d, each %.1f us of CPU, %d bytes" % (
                        count, (cpu_usec(agent.pid) - before) / count, len(answer)))
            finally:
                agent.terminate()
    return 0 if b'"return"' in answer else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))

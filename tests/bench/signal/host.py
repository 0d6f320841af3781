#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's half: what of a run isn't in hostd's log. Needs nothing but python3-minimal.

  host.py sync [--count N] (--vsock PORT FILE | FILE COMMAND...)
      exchanges numbers with the guest's `guest.sh sync`: by vsock when the guest calls that port, or over the
      standard input and output of a command. Writes the file "sync" of a run; a number isn't used twice.
  host.py poll --hz N --seconds N --domain NAME [--virsh PROGRAM] FILE
      asks qemu-ga for guest-get-cpustats, over one virsh. Writes a file "poll-NAME" of a run.

      Neither file is written over: what is there is added to.
  host.py take --vsock PORT FILE
      takes what the guest sends when it calls that port, up to a line "vmfreq-trace-ends".
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import time


def now_usec():
    return time.monotonic_ns() // 1000


def read_line(fd):
    """Of a descriptor without buffering: select() and this see the same."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            raise EOFError("the other side has ended")
        line += byte
    return line.decode(errors="replace")


def exchange(to_fd, from_fd, numbers):
    """[(number, before, after)]"""
    found = []
    for number in numbers:
        before = now_usec()
        try:
            os.write(to_fd, b"%d\n" % number)
        except BrokenPipeError:
            raise EOFError("the other side has ended") from None
        answer = read_line(from_fd)
        after = now_usec()
        if int(answer) != number:
            raise ValueError("%s was answered to %d" % (answer.strip(), number))
        found.append((number, before, after))
        time.sleep(0.01)
    return found


def next_number(path):
    if not os.path.exists(path):
        return 1
    with open(path) as file:
        return max([int(line.split()[0]) for line in file if line.strip()], default=0) + 1


def take_call(port):
    listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    listener.bind((socket.VMADDR_CID_ANY, port))
    listener.listen(1)
    return listener.accept()[0]


def sync(args):
    first = next_number(args.file)
    numbers = range(first, first + args.count)
    if args.vsock:
        with take_call(args.vsock) as peer:
            found = exchange(peer.fileno(), peer.fileno(), numbers)
    else:
        with subprocess.Popen(args.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as peer:
            found = exchange(peer.stdin.fileno(), peer.stdout.fileno(), numbers)
            peer.stdin.close()
    with open(args.file, "a") as file:
        for entry in found:
            file.write("%d %d %d\n" % entry)


def take(args):
    last = b"vmfreq-trace-ends\n"
    with take_call(args.vsock) as peer, open(args.file, "wb") as file:
        tail = b""
        while not tail.endswith(last):
            file.write(tail[:-len(last)])
            tail = tail[-len(last):]
            more = peer.recv(1 << 16)
            if not more:
                raise EOFError("the other side has ended")
            tail += more
        file.write(tail[:-len(last)])


def ask(virsh, domain):
    """The agent's reply, past virsh's own prompts."""
    command = "qemu-agent-command %s '{\"execute\":\"guest-get-cpustats\"}'\n" % domain
    os.write(virsh.stdin.fileno(), command.encode())
    while True:
        line = read_line(virsh.stdout.fileno())
        found = re.search(r'\{"return":.*\}\s*$', line)
        if found:
            return found.group(0).strip()
        if "error:" in line:        # after a prompt, or not
            raise ValueError(line.strip())


def poll(args):
    # virsh has no reason to write a line at a time into a pipe.
    with subprocess.Popen(["stdbuf", "-oL", args.virsh, "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, bufsize=0) as virsh, open(args.file, "a") as file:
        begin = time.monotonic()
        for turn in range(int(args.seconds * args.hz)):
            time.sleep(max(begin + turn / args.hz - time.monotonic(), 0))
            before = now_usec()
            reply = ask(virsh, args.domain)
            file.write("%d %d %s\n" % (before, now_usec(), reply))
        virsh.stdin.close()


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("sync")
    one.add_argument("file")
    one.add_argument("--count", type=int, default=50)
    one.add_argument("--vsock", type=int, metavar="PORT")
    one.add_argument("command", nargs=argparse.REMAINDER)
    two = verbs.add_parser("poll")
    two.add_argument("file")
    two.add_argument("--hz", type=float, required=True)
    two.add_argument("--seconds", type=float, required=True)
    two.add_argument("--domain", required=True)
    two.add_argument("--virsh", default="virsh")
    three = verbs.add_parser("take")
    three.add_argument("file")
    three.add_argument("--vsock", type=int, metavar="PORT", required=True)
    args = parser.parse_args(argv)
    if args.verb == "sync" and bool(args.vsock) == bool(args.command):
        parser.error("sync: --vsock PORT or a command?")
    return args


def main(argv):
    args = parse(argv)
    {"sync": sync, "poll": poll, "take": take}[args.verb](args)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, EOFError, ValueError) as error:
        sys.exit("host.py: %s" % error)

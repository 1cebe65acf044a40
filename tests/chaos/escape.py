# Forty ways out of a sandbox, each tried once (RELIABILITY R7). Usage: escape.py PLACES OUT
#
# PLACES is a JSON file with the paths, pids and ports to try; OUT is a file for one line per attempt: its name, and what
# the attempt itself can tell: "done", or the error. Whether it got out is judged from outside, by the marks it left.
import ctypes, glob, json, os, socket, struct, sys

places = json.load(open(sys.argv[1]))
session = os.path.dirname(os.path.dirname(os.getcwd()))
out = open(sys.argv[2], "w")
libc = ctypes.CDLL(None, use_errno=True)
MARK = places["mark"]


def attempt(name):
    def run(function):
        try:
            said = function()
            if said is False:
                said = "no"
            line = "done" if said is None else str(said)
        except Exception as fault:
            line = "failed: %s" % fault
        out.write("%s\t%s\n" % (name, line.replace("\n", " ")))
        out.flush()
    return run


def call(number, *arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def read(path):
    return "read:" + open(path).read(200)


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def existing(path):
    os.close(os.open(path, os.O_WRONLY))


# What the user keeps to itself.
for name in ["ssh-key", "cloud-key", "other-project", "remote-password", "own-settings"]:
    attempt("read-" + name)(lambda name=name: read(places["read"][name]))
attempt("read-journal")(lambda: read(session + "/journal.jsonl"))
attempt("read-prompt-of-another")(lambda: read(sorted(glob.glob(session + "/workers/*.prompt.md"))[0]))
attempt("read-through-a-link")(lambda: (os.symlink(places["read"]["ssh-key"], "way-out"), read("way-out"))[1])
attempt("hard-link")(lambda: (os.link(places["read"]["cloud-key"], "way-out-2"), read("way-out-2"))[1])
attempt("environment-of-another")(lambda: read("/proc/%d/environ" % places["victim"]))

# What runs later, outside.
for name in [
    "bashrc", "claude-settings", "codex-config", "gemini-settings", "autostart", "own-settings", "other-project",
    "checkout", "hook", "git-config", "branch", "admin-commondir", "agents-program", "agents-script",
]:
    attempt("write-" + name)(lambda name=name: append(places["write"][name], MARK))
attempt("write-journal")(lambda: existing(session + "/journal.jsonl"))
attempt("write-record-of-another")(lambda: existing(sorted(glob.glob(session + "/workers/*.exit.json"))[0]))
attempt("pointer")(lambda: append(".git", MARK))
attempt("temporary-file")(lambda: append(places["write"]["temporary"], MARK))
attempt("shared-memory")(lambda: append(places["write"]["shared-memory"], MARK))


# What a project brings that agents and editors obey.
@attempt("protected-file")
def _():
    append(".vscode/tasks.json", MARK)


@attempt("protected-folder-renamed")
def _():
    os.rename(".claude", ".claude-2")
    os.mkdir(".claude")
    append(".claude/settings.json", MARK)


# Other processes.
attempt("signal")(lambda: os.kill(places["victim"], 0))


@attempt("trace")
def _():
    call(101, ctypes.c_long(16), ctypes.c_long(places["victim"]), 0, 0)  # PTRACE_ATTACH
    call(101, ctypes.c_long(17), ctypes.c_long(places["victim"]), 0, 0)


@attempt("foreign-memory")
def _():
    start = int(open("/proc/%d/maps" % places["victim"]).readline().split("-")[0], 16)
    buffer = ctypes.create_string_buffer(16)
    own = struct.pack("PN", ctypes.addressof(buffer), 16)
    theirs = struct.pack("PN", start, 16)
    call(310, ctypes.c_long(places["victim"]), own, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), ctypes.c_ulong(0))


# The network and sockets.
def connect(family, address):
    one = socket.socket(family, socket.SOCK_STREAM)
    one.settimeout(2)
    one.connect(address)
    one.sendall(MARK.encode())


attempt("path-socket")(lambda: connect(socket.AF_UNIX, places["socket"]))
attempt("abstract-socket")(lambda: connect(socket.AF_UNIX, "\0" + places["abstract"]))
attempt("loopback")(lambda: connect(socket.AF_INET, ("127.0.0.1", places["port"])))


@attempt("datagram")
def _():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.sendto(MARK.encode(), ("127.0.0.1", places["datagrams"]))


# The kernel.
attempt("key")(lambda: call(248, b"user", b"escape", b"x", ctypes.c_ulong(1), ctypes.c_long(-2)) and None)
attempt("user-namespace")(lambda: call(272, ctypes.c_long(0x10000000)) and None)

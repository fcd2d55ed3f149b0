"""Runs one program under every restraint the machine has, and says how it ended. Started by ``sandbox.py`` as a script
of its own with ``python -I -S``; the standard library only.

Layers, each independent of the others; those that took are named in the answer:

``limits``     CPU seconds, address space, size of a file, open files, no core dump (setrlimit)
``namespaces`` a network namespace without interfaces, and one for System V memory (Linux, unprivileged where allowed)
``landlock``   files: writing in the scratch folder alone, reading there and in Python's own folders (Linux 5.13)
``seccomp``    no sockets, no new processes, no execve, no signals to others, no tracing (Linux, x86-64 and arm64)
``audit``      the same asked of Python by its audit hook; weak, since C code passes it by, but it is there everywhere
"""

from __future__ import annotations

import json
import os
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_NEW_USER, _NEW_NET, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_CLONE_THREAD = 0x00010000

# Landlock's syscalls have one number everywhere.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_READING = (1 << 2) | (1 << 3)  # files, folders
_OF_FILES = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14)  # what may be granted on a file: execute, write, read, truncate

# fork, vfork, execve, execveat, kill, tkill, ptrace, process_vm_readv/writev, socket, socketpair, connect, accept,
# accept4, bind, listen, sendto, sendmsg, io_uring_setup, bpf, mount, umount2, unshare, setns, chroot, pivot_root,
# keyctl, add_key, request_key, perf_event_open, userfaultfd, pidfd_open, pidfd_send_signal, pidfd_getfd, mknod(at)
_MACHINES = {
    "x86_64": {
        "audit": 0xC000003E,
        "clone": 56,
        "tgkill": 234,
        "denied": (
            *(57, 58, 59, 322, 62, 200, 101, 310, 311, 41, 53, 42, 43, 288, 49, 50, 44, 46, 425, 321, 165, 166, 272),
            *(308, 161, 155, 250, 248, 249, 298, 323, 434, 424, 438, 133, 259),
        ),
    },
    "aarch64": {
        "audit": 0xC00000B7,
        "clone": 220,
        "tgkill": 131,
        "denied": (
            *(221, 281, 129, 130, 117, 270, 271, 198, 199, 203, 202, 242, 200, 201, 206, 211, 425, 280, 40, 39, 97),
            *(268, 51, 41, 219, 217, 218, 241, 282, 434, 424, 438, 33),
        ),
    },
}
_CLONE3 = 435


def limit(job: dict[str, float]) -> bool:
    """Resource limits; False where the system has none (Windows)."""
    try:
        import resource
    except ImportError:
        return False
    wanted = {
        "RLIMIT_CPU": int(job["seconds"]) + 1,
        "RLIMIT_AS": int(job["megabytes"]) << 20,
        "RLIMIT_FSIZE": int(job["file_megabytes"]) << 20,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 256,
    }
    took = True
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            # macOS refuses RLIMIT_AS; CPU time and the parent's clock are left.
            took = False
    return took


def namespaces() -> bool:
    """Leave the network and shared memory behind."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    unshare = getattr(libc, "unshare", None)
    # Root may do without a user namespace, in which files would change their owner.
    kinds = (_NEW_NET | _NEW_IPC, _NEW_USER | _NEW_NET | _NEW_IPC)
    return unshare is not None and any(unshare(kind) == 0 for kind in kinds)


def landlock(scratch: str) -> bool:
    """Files: everything in ``scratch``, reading in the folders Python runs from, nothing else."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    handled = _ALL_BY_VERSION.get(version, (1 << 15) - 1)
    attribute = ctypes.c_uint64(handled)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attribute), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if ruleset < 0:
        return False

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))

    readable = {
        os.path.realpath(path) for path in (sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__))
    }
    readable |= {"/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/localtime"}
    readable |= {"/dev/null", "/dev/urandom", "/dev/random", "/dev/zero"}
    readable.discard("/")
    for path, allowed in [(scratch, handled & ~1), *((path, _READING) for path in sorted(readable))]:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        if not os.path.isdir(path):
            allowed &= _OF_FILES
        if path == "/dev/null":
            allowed |= (1 << 1) & handled
        rule = Beneath(allowed & handled, place)
        failed = libc.syscall(_ADD_RULE, ruleset, ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0))
        os.close(place)
        if failed:
            return False
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    took = libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) == 0
    os.close(ruleset)
    return bool(took)


def seccomp() -> bool:
    """A filter of system calls, which no later code can take away. Denied ones fail with EPERM."""
    import ctypes
    import struct

    machine = _MACHINES.get(os.uname().machine)
    if machine is None or sys.platform != "linux":
        return False
    load, equal, at_least, bits, back = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown, die = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # EPERM, ENOSYS
    code: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (equal, 1, 0, machine["audit"]),  # type: ignore[list-item]
        (back, 0, 0, die),
        (load, 0, 0, 0),
        (at_least, 0, 1, 0x40000000),  # The x32 calls of x86-64 have numbers of their own.
        (back, 0, 0, die),
        # The C library falls back to clone, whose flags can be read.
        (equal, 0, 1, _CLONE3),
        (back, 0, 0, unknown),
        # Threads are allowed, processes are not.
        (equal, 0, 4, machine["clone"]),  # type: ignore[list-item]
        (load, 0, 0, 16),
        (bits, 0, 1, _CLONE_THREAD),
        (back, 0, 0, allow),
        (back, 0, 0, refuse),
        # abort() signals the process itself.
        (equal, 0, 4, machine["tgkill"]),  # type: ignore[list-item]
        (load, 0, 0, 16),
        (equal, 0, 1, os.getpid()),
        (back, 0, 0, allow),
        (back, 0, 0, refuse),
    ]
    for number in machine["denied"]:  # type: ignore[attr-defined]
        code += [(equal, 0, 1, number), (back, 0, 0, refuse)]
    code.append((back, 0, 0, allow))
    packed = b"".join(struct.pack("=HBBI", *line) for line in code)
    instructions = ctypes.create_string_buffer(packed, len(packed))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(len(code), ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def audit(scratch: str) -> None:
    """Refuse by Python's own events what the other layers refuse in the kernel."""
    inside = os.path.realpath(scratch) + os.sep
    refused = (
        "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile",
        "os.kill", "os.putenv", "ctypes.", "ftplib.", "http.", "smtplib.", "urllib.", "webbrowser.", "pty.",
    )  # fmt: skip
    places = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown",
              "os.truncate", "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def within(path: object) -> bool:
        if isinstance(path, int) or path is None:
            return True
        where = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        return where.startswith(inside) or where == os.devnull

    def hook(event: str, values: tuple[object, ...]) -> None:
        if event.startswith(refused):
            raise PermissionError(f"{event} is not allowed here")
        if event == "open" and values:
            flags = values[2] if len(values) > 2 and isinstance(values[2], int) else 0
            if flags & writing and not within(values[0]):
                raise PermissionError("writing outside the scratch folder is not allowed here")
        elif event in places and not all(within(path) for path in values if isinstance(path, str | bytes)):
            raise PermissionError(f"{event} outside the scratch folder is not allowed here")

    sys.addaudithook(hook)


def restrain(job: dict[str, object], scratch: str) -> list[str]:
    """Put on every layer there is; their names."""
    took = []
    if sys.platform == "linux":
        for name, put_on in (("namespaces", namespaces), ("landlock", lambda: landlock(scratch))):
            try:
                if put_on():
                    took.append(name)
            except (OSError, AttributeError):
                continue
    if limit(job):  # type: ignore[arg-type]
        took.append("limits")
    if sys.platform == "linux":
        try:
            if seccomp():
                took.append("seccomp")
        except (OSError, AttributeError):
            pass
    audit(scratch)
    return [*took, "audit"]


def main() -> None:
    job = json.loads(sys.stdin.buffer.read())
    scratch, out = os.getcwd(), int(sys.argv[1])
    with open(os.devnull, "r+b", buffering=0) as null:
        for stream in (0, 1, 2):
            os.dup2(null.fileno(), stream)
    sys.argv = ["program.py"]
    layers = restrain(job, scratch)
    token, program = job.pop("token"), job.pop("program")
    outcome, message = "passed", ""
    try:
        exec(compile(program, "program.py", "exec", dont_inherit=True), {"__name__": "__main__"})
    except AssertionError as error:
        outcome, message = "failed", f"AssertionError: {error}"
    except BaseException as error:  # SystemExit too: a program that leaves early did not pass.
        outcome, message = "error", f"{type(error).__name__}: {error}"
    answer = {"token": token, "outcome": outcome, "message": message[:500], "layers": layers}
    os.write(out, json.dumps(answer).encode())
    os._exit(0)


if __name__ == "__main__":
    main()

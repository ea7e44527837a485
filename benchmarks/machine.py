"""Describe the machine, without its name."""

import os
import platform
import ssl

BUILD = f"{os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}/build/bench"
PLACES = {"memory": "/dev/shm", "disk": BUILD}


def describe() -> dict[str, str]:
    """Return what the times depend on."""
    cpu = read("/proc/cpuinfo")
    sha = ", with SHA instructions" if " sha_ni" in cpu or " sha2" in cpu else ""
    return {
        "processor": field(cpu, "model name") + sha,
        "cores": str(cores()),
        "memory": f"{memory('MemTotal') / (1 << 30):.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
    }


def forget_settings() -> None:
    """Remove the variables from the environment that would change what is measured.

    Without bytecode files, each run of an editable installation would compile all modules, which takes half a second.
    """
    for name in [name for name in os.environ if name.startswith(("MKINDEX_", "SOURCE_DATE_EPOCH"))]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory(name: str) -> int:
    """Return a value from /proc/meminfo, in bytes."""
    return int(field(read("/proc/meminfo"), name).split()[0]) << 10


def room(path: str, *, in_memory: bool) -> int:
    """Return the number of bytes that can be written below a path."""
    place = os.statvfs(path)
    free = place.f_bavail * place.f_frsize
    return min(free, memory("MemAvailable")) if in_memory else free


def file_system(path: str) -> str:
    """Return the type of the file system that a path is on."""
    mounts = [line.split()[1:3] for line in read("/proc/mounts").splitlines()]
    over = [(point, kind) for point, kind in mounts if f"{path}/".startswith(f"{point.rstrip('/')}/")]
    return max(over, key=lambda mount: len(mount[0]))[1] if over else "unknown"


def field(text: str, name: str) -> str:
    """Return the value of the line `name: value`, "unknown" without such a line."""
    fields = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for key, _, value in fields if key.strip() == name), "unknown")


def read(path: str) -> str:
    """Return the text of a file, "" if it cannot be read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""

"""``python powerless.py COMMAND …``: run a command without any capability, and none to be had.

What compose.yaml's ``cap_drop: [ALL]`` and ``no-new-privileges`` do: even root can then write to
nothing that its permissions do not open. Source: capabilities(7), prctl(2).
"""

import ctypes
import errno
import os
import sys

_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38


def drop_everything() -> None:
    """Empty the bounding set and refuse new privileges; raises OSError where that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        for capability in range(64):
            if libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
                if ctypes.get_errno() == errno.EINVAL:
                    break
                raise OSError(ctypes.get_errno(), "The capabilities cannot be dropped.")
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "New privileges cannot be refused.")


if __name__ == "__main__":
    drop_everything()
    os.execvp(sys.argv[1], sys.argv[1:])

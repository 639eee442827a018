"""What containers may do, whoever runs them."""

from __future__ import annotations

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
"""What root in a container keeps; everything else is dropped.

Without DAC_OVERRIDE a program that runs as the image's root can't write into an output directory of the user who
started the run, without CHOWN and FOWNER it can't unpack an archive, without SETUID, SETGID and KILL an entrypoint
can't give up root by itself. None of them reaches beyond the mounts. Programs of other users have no capability.
"""

"""What the runner of a batch job and the driver that reads its record agree on."""

UNWRITABLE, STARTED_AGAIN = 74, 75
"""Exit codes: the record can't be written (a full disk, a quota); SLURM has started the job a second time."""

TOLD = "SLURM ended the job"
"""The message of units that ended, with the reason ``evicted``, because SLURM wanted so; it alone knows why."""

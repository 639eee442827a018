"""A cluster that is elsewhere: SLURM's commands by one SSH connection, the files of a run in a folder there."""

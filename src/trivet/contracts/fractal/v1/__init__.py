"""Version 1 of the contract, of packages before 2024: the same rooms as version 2, for manifests of that version."""

"""Packages of tasks: found where they are installed or in a wheel, collected into environments of their own, kept."""

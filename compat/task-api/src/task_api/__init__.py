"""The public command line of Kaapana's Task API (``python3 -m task_api.cli``), on Trivet."""

__version__ = "0.1.0"

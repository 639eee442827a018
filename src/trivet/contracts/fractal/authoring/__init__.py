"""What an author of a Fractal package needs: task models, argument schemas from Python functions, the manifest.

Only rooms of this package import pydantic and docstring-parser; what reads, checks or runs packages does without.
"""

"""A project with a member of its workspace."""

import docutils
import part

WORD = "built"


def main():
    print(WORD, part.WORD, docutils.__version__)

# shellcheck shell=bash
# Does nothing.

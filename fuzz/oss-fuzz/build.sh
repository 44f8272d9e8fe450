#!/bin/bash -eu
# What OSS-Fuzz calls in its image.
exec "$SRC/loginspec/fuzz/build-for-engines.sh"
